{# The distinct values of a group as a JSON list of texts, in byte order, without blanks between them; null where there are none.
   Differs by engine: the aggregate, and how it is written as JSON. #}
{% macro list_json(column) -%} {{ adapter.dispatch("list_json", "tessera")(column) }} {%- endmacro %}

{% macro duckdb__list_json(column) -%}
    cast(to_json(list_sort(list(distinct {{ column }}) filter (where {{ column }} is not null))) as varchar)
{%- endmacro %}

{# PostgreSQL's json_agg puts blanks after the commas. #}
{% macro postgres__list_json(column) -%}
    (
        select '[' || string_agg(cast(to_json(item) as text), ',' order by item) || ']'
        from unnest(array_agg(distinct {{ column }}) filter (where {{ column }} is not null)) as items(item)
    )
{%- endmacro %}

{% macro spark__list_json(column) -%}
    case when count({{ column }}) > 0 then to_json(array_sort(collect_set({{ column }}))) end
{%- endmacro %}

{% macro snowflake__list_json(column) -%}
    case when count({{ column }}) > 0 then to_json(array_agg(distinct {{ column }}) within group (order by {{ column }})) end
{%- endmacro %}

{# BigQuery's array_agg cannot leave nulls out and order distinct values at once without `ignore nulls`. #}
{% macro bigquery__list_json(column) -%}
    case when count({{ column }}) > 0 then to_json_string(array_agg(distinct {{ column }} ignore nulls order by {{ column }})) end
{%- endmacro %}
