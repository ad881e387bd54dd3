{# A natural column of staging (email, phone): where identity.yml finds it, or where it is found by default. #}
{% macro contact_found(name) -%}
    {%- set configured = config_identity().columns | selectattr("name", "equalto", name) | list -%}
    {%- set default = {"places": [
        {"column": "traits", "path": [name], "when": []}, {"column": "context", "path": ["traits", name], "when": []}
    ]} -%}
    {{ identifier_found(configured[0] if configured else default) }}
{%- endmacro %}
