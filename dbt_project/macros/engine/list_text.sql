{# The distinct values of a group as one text, in byte order, joined by a comma; null where there are none.
   Differs by engine: the aggregate's name. #}
{% macro list_text(column) -%} {{ adapter.dispatch("list_text", "tessera")(column) }} {%- endmacro %}

{% macro default__list_text(column) -%} string_agg(distinct {{ column }}, ',' order by {{ column }}) {%- endmacro %}

{% macro spark__list_text(column) -%}
    case when count({{ column }}) > 0 then array_join(array_sort(collect_set({{ column }})), ',') end
{%- endmacro %}

{% macro snowflake__list_text(column) -%} nullif(listagg(distinct {{ column }}, ',') within group (order by {{ column }}), '') {%- endmacro %}
