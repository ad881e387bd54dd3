{# An ISO 8601 text as a UTC timestamp without zone, cut to microseconds; null where it is anything else (`infinity`, `epoch`, a number,
   24:00, a leap second, a year outside 1 to 9999). Differs by engine: the safe cast. #}
{% macro parse_timestamp(column) -%}
    {%- set day = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])" -%}
    {%- set time = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?" -%}
    {%- set zone = "[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?" -%}
    case
        when {{ matches(column, "^" ~ day ~ "[Tt ]" ~ time ~ "([Zz]|" ~ zone ~ ")?$") }}
            and substr({{ column }}, 1, 4) <> '0000'
            and (substr({{ column }}, 1, 4) not in ('0001', '9999') or not {{ matches(column, zone ~ "$") }})
            then {{ adapter.dispatch("parse_timestamp", "tessera")(column) }}
    end
{%- endmacro %}

{% macro duckdb__parse_timestamp(column) -%} try_cast(upper({{ column }}) as timestamptz) at time zone 'UTC' {%- endmacro %}

{# PostgreSQL's cast has no safe form, so look at the month's length first; it rounds what is finer than microseconds, so cut them off;
   and it takes a time without zone for one of the session, whose zone may be any. #}
{% macro postgres__parse_timestamp(column) -%}
    case
        when cast(substr({{ column }}, 9, 2) as integer)
            <= extract(day from to_date(substr({{ column }}, 1, 7), 'YYYY-MM') + interval '1 month - 1 day')
            then cast(
                regexp_replace({{ column }}, '([.][0-9]{6})[0-9]+', '\1')
                || case when {{ matches(column, "([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$") }} then '' else 'Z' end as timestamptz
            ) at time zone 'UTC'
    end
{%- endmacro %}

{# Spark's cast does not read a time without seconds. #}
{% macro spark__parse_timestamp(column) -%}
    {%- set seconds -%} case when substr({{ column }}, 17, 1) = ':' then '' else ':00' end {%- endset -%}
    to_timestamp_ntz(
        date_format(
            try_cast(upper(concat(substr({{ column }}, 1, 16), {{ seconds }}, substr({{ column }}, 17))) as timestamp_ltz),
            "yyyy-MM-dd HH:mm:ss.SSSSSS"
        )
    )
{%- endmacro %}

{# With a session in UTC, Databricks' timestamp is the UTC timestamp. #}
{% macro databricks__parse_timestamp(column) -%} try_cast(upper({{ column }}) as timestamp) {%- endmacro %}

{# Snowflake and BigQuery read fewer forms than ISO 8601 has, so the text is written out first: at most six digits of a second, and
   an offset +hh:mm (Snowflake), or seconds always (BigQuery). #}
{% macro snowflake__parse_timestamp(column) -%}
    {%- set text -%} regexp_replace(replace(upper({{ column }}), ' ', 'T'), '([.][0-9]{6})[0-9]+', '\\1') {%- endset -%}
    {%- set text -%} regexp_replace({{ text }}, '(T[0-9:.]+)Z?$', '\\1+00:00') {%- endset -%}
    {%- set text -%} regexp_replace({{ text }}, '([+-][0-9]{2}):?([0-9]{2})$', '\\1:\\2') {%- endset -%}
    {%- set text -%} regexp_replace({{ text }}, '(T.*[+-][0-9]{2})$', '\\1:00') {%- endset -%}
    cast(convert_timezone('UTC', try_to_timestamp_tz({{ text }})) as {{ dbt.type_timestamp() }})
{%- endmacro %}

{% macro bigquery__parse_timestamp(column) -%}
    {%- set text -%} regexp_replace(upper({{ column }}), '([.][0-9]{6})[0-9]+', '\\1') {%- endset -%}
    {%- set text -%} regexp_replace({{ text }}, '([T ][0-9]{2}:[0-9]{2})($|[Z+-])', '\\1:00\\2') {%- endset -%}
    {%- set text -%} regexp_replace({{ text }}, '([T ].*[+-][0-9]{2})([0-9]{2})$', '\\1:\\2') {%- endset -%}
    safe_cast({{ text }} as timestamp)
{%- endmacro %}
