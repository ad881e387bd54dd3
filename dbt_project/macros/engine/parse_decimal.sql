{# A text as decimal(18, 4); null where it is not a plain number. Differs by engine: the safe cast. #}
{% macro parse_decimal(column) -%} {{ adapter.dispatch("parse_decimal", "tessera")(column) }} {%- endmacro %}

{% macro duckdb__parse_decimal(column) -%} try_cast({{ column }} as decimal(18, 4)) {%- endmacro %}

{% macro postgres__parse_decimal(column) -%}
    case
        when {{ column }} ~ '^ *[+-]?([0-9]{1,14}([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,2})? *$' then cast({{ column }} as decimal(18, 4))
    end
{%- endmacro %}

{% macro spark__parse_decimal(column) -%} try_cast({{ column }} as decimal(18, 4)) {%- endmacro %}

{% macro snowflake__parse_decimal(column) -%} try_cast({{ column }} as decimal(18, 4)) {%- endmacro %}

{# BigQuery's numeric has 29 digits before the point, and a cast takes no precision. #}
{% macro bigquery__parse_decimal(column) -%}
    case
        when abs(safe_cast(trim({{ column }}) as numeric)) < 100000000000000 then round(safe_cast(trim({{ column }}) as numeric), 4)
    end
{%- endmacro %}
