{# The fields that a sync sends, as a mapping for json_object: key → column of people. #}
{% macro sync_payload(columns) -%}
    {%- set payload = {} -%}
    {%- for column in columns %}{% do payload.update({column: "people." ~ column}) %}{% endfor -%}
    {{ return(payload) }}
{%- endmacro %}
