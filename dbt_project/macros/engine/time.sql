{# Seconds from one timestamp to a later one, as a whole number: elapsed time, not calendar boundaries crossed.
   Differs by engine: the name and the rounding of date arithmetic. #}
{% macro seconds_between(earlier, later) -%} {{ adapter.dispatch("seconds_between", "tessera")(earlier, later) }} {%- endmacro %}

{% macro default__seconds_between(earlier, later) -%}
    cast(floor((epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000) as bigint)
{%- endmacro %}

{# A timestamp moved by a number of seconds (an integer expression, may be negative). #}
{% macro add_seconds(timestamp, seconds) -%} {{ adapter.dispatch("add_seconds", "tessera")(timestamp, seconds) }} {%- endmacro %}

{% macro default__add_seconds(timestamp, seconds) -%} ({{ timestamp }} + to_seconds({{ seconds }})) {%- endmacro %}

{# A client timestamp set right by the clock that received it: received − (sent − original), to the microsecond. #}
{% macro correct_clock(received, sent, original) -%} {{ adapter.dispatch("correct_clock", "tessera")(received, sent, original) }} {%- endmacro %}

{% macro default__correct_clock(received, sent, original) -%} ({{ received }} - ({{ sent }} - {{ original }})) {%- endmacro %}

{# The calendar day of a UTC timestamp in the reporting time zone. #}
{% macro local_date(timestamp) -%} {{ adapter.dispatch("local_date", "tessera")(timestamp) }} {%- endmacro %}

{% macro default__local_date(timestamp) -%}
    cast({{ timestamp }} at time zone 'UTC' at time zone '{{ var("reporting_time_zone") }}' as date)
{%- endmacro %}

{# A timestamp as ISO 8601 text with milliseconds and Z. #}
{% macro timestamp_text(timestamp) -%} {{ adapter.dispatch("timestamp_text", "tessera")(timestamp) }} {%- endmacro %}

{% macro default__timestamp_text(timestamp) -%} strftime({{ timestamp }}, '%Y-%m-%dT%H:%M:%S.%gZ') {%- endmacro %}

{% macro postgres__seconds_between(earlier, later) -%}
    cast(floor(extract(epoch from ({{ later }} - {{ earlier }}))) as bigint)
{%- endmacro %}

{% macro postgres__add_seconds(timestamp, seconds) -%} ({{ timestamp }} + {{ seconds }} * interval '1 second') {%- endmacro %}

{% macro postgres__timestamp_text(timestamp) -%} to_char({{ timestamp }}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') {%- endmacro %}

{% macro spark__seconds_between(earlier, later) -%}
    cast(floor(timestampdiff(microsecond, {{ earlier }}, {{ later }}) / 1000000) as bigint)
{%- endmacro %}

{% macro spark__add_seconds(timestamp, seconds) -%} timestampadd(second, {{ seconds }}, {{ timestamp }}) {%- endmacro %}

{% macro spark__local_date(timestamp) -%}
    to_date(convert_timezone('UTC', '{{ var("reporting_time_zone") }}', {{ timestamp }}))
{%- endmacro %}

{% macro spark__timestamp_text(timestamp) -%} date_format({{ timestamp }}, "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'") {%- endmacro %}
