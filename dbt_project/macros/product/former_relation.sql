{# The table of a model that is built only after this one, as the former run left it; nothing if there is none. No dependency: that would be
   a circle. #}
{% macro former_relation(name) -%}
    {%- set node = graph.nodes["model.tessera." ~ name] -%}
    {%- set relation = this.incorporate(path={"schema": node.schema, "identifier": node.alias}) -%}
    {{ return(relation if load_cached_relation(relation) is not none else none) }}
{%- endmacro %}
