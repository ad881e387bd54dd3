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
