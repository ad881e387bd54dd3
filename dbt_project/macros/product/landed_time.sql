{# A column of a landed table as the text of a time, zone included, as parse_timestamp reads it; Snowflake writes a blank before the zone. #}
{% macro landed_time(column) -%}
    {%- set text = "cast(" ~ column.name ~ " as " ~ dbt.type_string() ~ ")" -%}
    replace(replace(replace({{ text }}, ' +', '+'), ' -', '-'), ' Z', 'Z')
{%- endmacro %}
