{# A client timestamp set right by the clock that received it: received − (sent − original), to the microsecond.
   Differs by engine: whether timestamps subtract to an interval. #}
{% macro correct_clock(received, sent, original) -%} {{ adapter.dispatch("correct_clock", "tessera")(received, sent, original) }} {%- endmacro %}

{% macro default__correct_clock(received, sent, original) -%} ({{ received }} - ({{ sent }} - {{ original }})) {%- endmacro %}
