{# In an increment: the rows (holder, trait, …) whose value may have changed. A SQL trait that is built whole may have for everybody. #}
{% macro trait_touched(level) -%}
    {%- set whole = [] -%}
    {%- for trait in sql_traits_of(level) if graph.get("nodes", {}).get("model.sql_traits." ~ trait, {}).get("config", {}).get("materialized") != "increment" -%}
        {%- do whole.append(trait) -%}
    {%- endfor -%}
    ({{ where_holder_touched(true, level, "") }} or {{ is_one_of("trait", whole) }})
{%- endmacro %}
