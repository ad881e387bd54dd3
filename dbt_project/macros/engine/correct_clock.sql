{# A client timestamp set right by the clock that received it: received − (sent − original), to the microsecond.
   Differs by engine: whether timestamps subtract to an interval. #}
{% macro correct_clock(received, sent, original) -%} {{ adapter.dispatch("correct_clock", "tessera")(received, sent, original) }} {%- endmacro %}

{% macro default__correct_clock(received, sent, original) -%} ({{ received }} - ({{ sent }} - {{ original }})) {%- endmacro %}

{% macro snowflake__correct_clock(received, sent, original) -%}
    timestampadd(microsecond, timestampdiff(microsecond, {{ sent }}, {{ original }}), {{ received }})
{%- endmacro %}

{# `safe.`: a time past the year 9999 is null there, not the end of the run. #}
{% macro bigquery__correct_clock(received, sent, original) -%}
    safe.timestamp_add({{ received }}, interval timestamp_diff({{ original }}, {{ sent }}, microsecond) microsecond)
{%- endmacro %}
