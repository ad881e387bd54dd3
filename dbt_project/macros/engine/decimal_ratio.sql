{# A ratio to four places, halves away from zero; null where the denominator is 0 or the ratio has more than 14 digits before the point.
   The numerator has at most 24 digits before the point and 4 after it; the denominator 9 and 9, or 19 and 4. Differs by
   engine: DuckDB divides decimals as floating point numbers, which puts some halves on the other side, so it divides whole numbers instead. #}
{% macro decimal_ratio(numerator, denominator) -%}
    {{ adapter.dispatch("decimal_ratio", "tessera")(numerator, denominator) }}
{%- endmacro %}

{% macro default__decimal_ratio(numerator, denominator) -%}
    {#- Spark keeps the fewer decimals of a quotient the wider its terms are: wide terms only for what needs them. -#}
    cast(
        case
            when abs({{ numerator }}) < 100000000000000 and abs({{ denominator }}) < 1000000000 then
                {{ fitting_quotient("cast(" ~ numerator ~ " as decimal(18, 4))", "cast(" ~ denominator ~ " as decimal(18, 9))") }}
            else {{ fitting_quotient("cast(" ~ numerator ~ " as decimal(28, 4))", "cast(" ~ denominator ~ " as decimal(28, 4))") }}
        end as decimal(18, 4)
    )
{%- endmacro %}

{# A quotient that fits; beyond 10,000 million as denominator all do, and a product with it would not. #}
{% macro fitting_quotient(n, d) -%}
    case when abs({{ n }}) < 99999999999999.99995 * least(abs({{ d }}), 10000000000) then round({{ n }} / {{ d }}, 4) end
{%- endmacro %}

{% macro duckdb__decimal_ratio(numerator, denominator) -%}
    {%- set n -%} cast(cast({{ numerator }} as decimal(28, 4)) * 10000 as hugeint) {%- endset -%}
    {%- set d -%} cast(cast(nullif({{ denominator }}, 0) as decimal(28, 9)) * 1000000000 as hugeint) {%- endset -%}
    cast(
        sign({{ n }}) * sign({{ d }})
        * try_cast((2000000000 * abs({{ n }}) + abs({{ d }})) // (2 * abs({{ d }})) as decimal(18, 0))
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
