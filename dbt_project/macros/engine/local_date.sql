{# The calendar day of a UTC timestamp in the reporting time zone.
   Differs by engine: the conversion between time zones. #}
{% macro local_date(timestamp) -%} {{ adapter.dispatch("local_date", "tessera")(timestamp) }} {%- endmacro %}

{% macro default__local_date(timestamp) -%}
    cast({{ timestamp }} at time zone 'UTC' at time zone '{{ var("reporting_time_zone") }}' as date)
{%- endmacro %}

{% macro spark__local_date(timestamp) -%}
    to_date(convert_timezone('UTC', '{{ var("reporting_time_zone") }}', {{ timestamp }}))
{%- endmacro %}

{% macro snowflake__local_date(timestamp) -%}
    to_date(convert_timezone('UTC', '{{ var("reporting_time_zone") }}', {{ timestamp }}))
{%- endmacro %}

{% macro bigquery__local_date(timestamp) -%} date({{ timestamp }}, '{{ var("reporting_time_zone") }}') {%- endmacro %}
