{# A column of a landed table (`columns` maps key → column) as text; null where the table lacks it. #}
{% macro landed_text(columns, key) -%}
    cast({{ columns[key].name if key in columns else "null" }} as {{ dbt.type_string() }})
{%- endmacro %}
