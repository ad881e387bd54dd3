{# The quantile of a group that is one of its values: the smallest value whose cumulative share reaches the fraction.
   Differs by engine: the name (all have percentile_disc's rule). #}
{% macro quantile(column, fraction) -%} {{ adapter.dispatch("quantile", "tessera")(column, fraction) }} {%- endmacro %}

{% macro duckdb__quantile(column, fraction) -%} quantile_disc({{ column }}, {{ fraction }}) {%- endmacro %}

{% macro postgres__quantile(column, fraction) -%}
    percentile_disc({{ fraction }}) within group (order by {{ column }})
{%- endmacro %}

{% macro spark__quantile(column, fraction) -%}
    cast(percentile_disc({{ fraction }}) within group (order by {{ column }}) as decimal(18, 4))
{%- endmacro %}

{% macro snowflake__quantile(column, fraction) -%}
    percentile_disc({{ fraction }}) within group (order by {{ column }})
{%- endmacro %}

{# percentile_disc is no aggregate on BigQuery, so the value is taken out of the sorted array: good for some million values a group
   (an array of 100 MB). #}
{% macro bigquery__quantile(column, fraction) -%}
    array_agg({{ column }} ignore nulls order by {{ column }})[
        safe_offset(cast(ceil(bignumeric '{{ fraction }}' * count({{ column }})) as bigint) - 1)
    ]
{%- endmacro %}
