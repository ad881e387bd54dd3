{# Columns of a landed table as a JSON object (text), without those that are null; {} where all are. `entries` are [key, JSON expression]. #}
{% macro landed_json(entries) -%}
    concat('{', substr(''
        {%- for key, value in entries %} || coalesce({{ text_literal("," ~ (key | tojson) ~ ":") }} || {{ value }}, ''){% endfor -%}
    , 2), '}')
{%- endmacro %}
