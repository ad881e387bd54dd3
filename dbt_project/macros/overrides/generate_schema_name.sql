{# The stage's word is the schema; a space other than prod prefixes it, so spaces never mix in one warehouse. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ tessera.space_schema(custom_schema_name or target.schema) }}
{%- endmacro %}

{% macro space_schema(schema) -%}
    {%- set space = env_var("TESSERA_SPACE", "prod") -%}
    {{ schema if space == "prod" else space ~ "_" ~ schema }}
{%- endmacro %}
