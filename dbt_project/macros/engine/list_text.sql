{# The distinct values of a group as one text, in alphabetical order, joined by a comma. Differs by engine: the aggregate's name. #}
{% macro list_text(column) -%} {{ adapter.dispatch("list_text", "tessera")(column) }} {%- endmacro %}

{% macro default__list_text(column) -%} string_agg(distinct {{ column }}, ',' order by {{ column }}) {%- endmacro %}

{% macro spark__list_text(column) -%} array_join(array_sort(collect_set({{ column }})), ',') {%- endmacro %}

{% macro snowflake__list_text(column) -%} nullif(listagg(distinct {{ column }}, ',') within group (order by {{ column }}), '') {%- endmacro %}
