{# snake_case → camelCase. #}
{% macro camel_case(name) -%}
    {%- set words = name.split("_") | select | list -%}
    {{ return(words[0] ~ words[1:] | map("capitalize") | join if words else name) }}
{%- endmacro %}
