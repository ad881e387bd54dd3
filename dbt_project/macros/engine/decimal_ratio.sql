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

{# Snowflake and BigQuery round a quotient before `round` sees it, so they divide whole numbers as well. #}
{% macro snowflake__decimal_ratio(numerator, denominator) -%}
    {%- set n -%} cast(cast({{ numerator }} as decimal(28, 4)) * 10000 as decimal(38, 0)) {%- endset -%}
    {%- set d -%} cast(cast(nullif({{ denominator }}, 0) as decimal(28, 9)) * 1000000000 as decimal(38, 0)) {%- endset -%}
    {%- set dividend -%} (2000000000 * abs({{ n }}) + abs({{ d }})) {%- endset -%}
    {%- set divisor -%} (2 * abs({{ d }})) {%- endset -%}
    cast(
        sign({{ n }}) * sign({{ d }})
        * cast(({{ dividend }} - mod({{ dividend }}, {{ divisor }})) / {{ divisor }} as decimal(18, 0))
        * cast(0.0001 as decimal(5, 4)) as decimal(18, 4)
    )
{%- endmacro %}

{% macro bigquery__decimal_ratio(numerator, denominator) -%}
    {%- set n -%} cast({{ numerator }} as numeric) * 10000 {%- endset -%}
    {%- set d -%} cast(nullif({{ denominator }}, 0) as numeric) * 1000000000 {%- endset -%}
    (
        sign({{ n }}) * sign({{ d }})
        * div(2000000000 * abs({{ n }}) + abs({{ d }}), 2 * abs({{ d }})) * numeric '0.0001'
    )
{%- endmacro %}
