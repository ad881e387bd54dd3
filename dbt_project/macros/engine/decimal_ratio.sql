{# A ratio to four places, halves away from zero; null where the denominator is 0. The numerator has at most 14 digits before the
   point and 4 after it, the denominator 9 and 9. Differs by engine: DuckDB divides decimals as floating point numbers, which puts
   some halves on the other side, so it divides whole numbers instead. #}
{% macro decimal_ratio(numerator, denominator) -%}
    {{ adapter.dispatch("decimal_ratio", "tessera")(numerator, denominator) }}
{%- endmacro %}

{% macro default__decimal_ratio(numerator, denominator) -%}
    cast(round(cast({{ numerator }} as decimal(18, 4)) / nullif(cast({{ denominator }} as decimal(18, 9)), 0), 4) as decimal(18, 4))
{%- endmacro %}

{% macro duckdb__decimal_ratio(numerator, denominator) -%}
    {%- set n -%} cast(cast({{ numerator }} as decimal(28, 4)) * 10000 as hugeint) {%- endset -%}
    {%- set d -%} cast(cast(nullif({{ denominator }}, 0) as decimal(28, 9)) * 1000000000 as hugeint) {%- endset -%}
    cast(
        sign({{ n }}) * sign({{ d }})
        * cast((2000000000 * abs({{ n }}) + abs({{ d }})) // (2 * abs({{ d }})) as decimal(18, 0))
        * cast(0.0001 as decimal(5, 4)) as decimal(18, 4)
    )
{%- endmacro %}
