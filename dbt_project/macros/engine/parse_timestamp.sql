{# An ISO 8601 text as a UTC timestamp without zone; null where it is anything else (`infinity`, `epoch`, a number).
   Differs by engine: the safe cast, and what a cast alone would let through. #}
{% macro parse_timestamp(column) -%} {{ adapter.dispatch("parse_timestamp", "tessera")(column) }} {%- endmacro %}

{% macro duckdb__parse_timestamp(column) -%}
    case
        when regexp_matches({{ column }}, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$')
            then try_cast(upper({{ column }}) as timestamptz) at time zone 'UTC'
    end
{%- endmacro %}

{# PostgreSQL's cast has no safe form, so the pattern here admits only what the cast reads: months, days and hours in range,
   no 30th of February (dates are checked against their month's length). #}
{% macro postgres__parse_timestamp(column) -%}
    case
        when {{ column }} ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$'
            and cast(substr({{ column }}, 9, 2) as integer) <= extract(day from date_trunc('month', to_date(substr({{ column }}, 1, 7), 'YYYY-MM')) + interval '1 month - 1 day')
            then cast({{ column }} as timestamptz) at time zone 'UTC'
    end
{%- endmacro %}

{% macro spark__parse_timestamp(column) -%}
    case
        when {{ column }} rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$'
            then to_timestamp_ntz(date_format(try_cast(upper({{ column }}) as timestamp_ltz), "yyyy-MM-dd HH:mm:ss.SSSSSS"))
    end
{%- endmacro %}

{# With a session in UTC, Databricks' timestamp is the UTC timestamp. #}
{% macro databricks__parse_timestamp(column) -%}
    case
        when {{ column }} rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$'
            then try_cast(upper({{ column }}) as timestamp)
    end
{%- endmacro %}

{# Snowflake and BigQuery read fewer forms than ISO 8601 has, so the text is written out first: at most six digits of a second, and
   an offset +hh:mm (Snowflake), or seconds always (BigQuery). #}
{% macro snowflake__parse_timestamp(column) -%}
    {%- set text -%} regexp_replace(replace(upper({{ column }}), ' ', 'T'), '([.][0-9]{6})[0-9]+', '\\1') {%- endset -%}
    {%- set text -%} regexp_replace({{ text }}, '(T[0-9:.]+)Z?$', '\\1+00:00') {%- endset -%}
    {%- set text -%} regexp_replace({{ text }}, '([+-][0-9]{2}):?([0-9]{2})$', '\\1:\\2') {%- endset -%}
    {%- set text -%} regexp_replace({{ text }}, '(T.*[+-][0-9]{2})$', '\\1:00') {%- endset -%}
    case
        when regexp_like({{ column }}, '[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?')
            then cast(convert_timezone('UTC', try_to_timestamp_tz({{ text }})) as {{ dbt.type_timestamp() }})
    end
{%- endmacro %}

{% macro bigquery__parse_timestamp(column) -%}
    {%- set text -%} regexp_replace(upper({{ column }}), '([.][0-9]{6})[0-9]+', '\\1') {%- endset -%}
    {%- set text -%} regexp_replace({{ text }}, '([T ][0-9]{2}:[0-9]{2})($|[Z+-])', '\\1:00\\2') {%- endset -%}
    {%- set text -%} regexp_replace({{ text }}, '([T ].*[+-][0-9]{2})([0-9]{2})$', '\\1:\\2') {%- endset -%}
    case
        when regexp_contains({{ column }}, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$')
            then safe_cast({{ text }} as timestamp)
    end
{%- endmacro %}
