{# A text as decimal(18, 4), halves away from zero; null where it is no plain number in ASCII digits, too large, or written
   with an exponent and more digits than a double has.
   Differs by engine: the safe cast, and what a cast alone would let through (`1_000`, `12d`). #}
{% macro parse_decimal(column) -%}
    case when {{ matches(column, "^ *[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+|[0-9]{1,3}([.][0-9]{1,15})?[eE][+-]?[0-9]{1,3}) *$") }} then {{ adapter.dispatch("parse_decimal", "tessera")(column) }} end
{%- endmacro %}

{% macro default__parse_decimal(column) -%} try_cast({{ column }} as decimal(18, 4)) {%- endmacro %}

{# PostgreSQL's cast has no safe form: look at the size first. #}
{% macro postgres__parse_decimal(column) -%}
    case when abs(round(cast({{ column }} as decimal), 4)) < 100000000000000 then cast({{ column }} as decimal(18, 4)) end
{%- endmacro %}

{# BigQuery's numeric has 29 digits before the point, and a cast takes no precision. #}
{% macro bigquery__parse_decimal(column) -%}
    case
        when abs(safe_cast(trim({{ column }}) as numeric)) < 100000000000000 then round(safe_cast(trim({{ column }}) as numeric), 4)
    end
{%- endmacro %}
