{# The hash of an audience's definition: of its SQL as written. It changes when somebody edits the file, not when data change. #}
{% macro definition_hash(audience) -%}
    {%- if execute -%}
        {{ local_md5(graph.nodes["model.tessera.audience_" ~ audience].raw_code) }}
    {%- endif -%}
{%- endmacro %}
