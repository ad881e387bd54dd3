{# A JSON number, by its kind and text, as a number that compares; null for any other kind.
   Differs by engine: the safe cast. A number too large for a double is null on DuckDB and Spark. #}
{% macro json_number(kind, text) -%} {{ adapter.dispatch("json_number", "tessera")(kind, text) }} {%- endmacro %}

{% macro default__json_number(kind, text) -%}
    case when {{ kind }} in ('BIGINT', 'UBIGINT', 'DOUBLE') then try_cast({{ text }} as double) end
{%- endmacro %}

{% macro postgres__json_number(kind, text) -%}
    case when {{ kind }} in ('BIGINT', 'UBIGINT', 'DOUBLE') and not {{ text }} ~ '[eE][-+]?[0-9]{4,}' then cast({{ text }} as numeric) end
{%- endmacro %}

{# An item of an array is a variant, which no safe cast takes. #}
{% macro snowflake__json_number(kind, text) -%}
    case when {{ kind }} in ('BIGINT', 'UBIGINT', 'DOUBLE') then try_cast(cast({{ text }} as {{ dbt.type_string() }}) as double) end
{%- endmacro %}

{% macro bigquery__json_number(kind, text) -%}
    case when {{ kind }} in ('BIGINT', 'UBIGINT', 'DOUBLE') then safe_cast({{ text }} as float64) end
{%- endmacro %}
