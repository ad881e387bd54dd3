{# In an increment: the rows (holder, trait, …) that the log of changes compares. #}
{% macro trait_touched(level) -%}
    ({{ where_holder_touched(true, level, "") }} or {{ is_one_of("trait", traits_built_whole(level)) }})
{%- endmacro %}

{# The SQL traits with a history that are not built in increments: they may be others for everybody. #}
{% macro traits_built_whole(level) -%}
    {%- set found = [] -%}
    {%- for trait in sql_traits_of(level) if trait not in (config_traits().no_history or [])
        and graph.get("nodes", {}).get("model.sql_traits." ~ trait, {}).get("config", {}).get("materialized") != "increment" -%}
        {%- do found.append(trait) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
