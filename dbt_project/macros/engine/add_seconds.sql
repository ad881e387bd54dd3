{# A timestamp moved by a number of seconds (an integer expression, may be negative).
   Differs by engine: the interval's form. #}
{% macro add_seconds(timestamp, seconds) -%} {{ adapter.dispatch("add_seconds", "tessera")(timestamp, seconds) }} {%- endmacro %}

{% macro duckdb__add_seconds(timestamp, seconds) -%} ({{ timestamp }} + to_seconds({{ seconds }})) {%- endmacro %}

{% macro postgres__add_seconds(timestamp, seconds) -%} ({{ timestamp }} + ({{ seconds }}) * interval '1 second') {%- endmacro %}

{% macro spark__add_seconds(timestamp, seconds) -%} timestampadd(second, {{ seconds }}, {{ timestamp }}) {%- endmacro %}

{% macro snowflake__add_seconds(timestamp, seconds) -%} timestampadd(second, {{ seconds }}, {{ timestamp }}) {%- endmacro %}

{% macro bigquery__add_seconds(timestamp, seconds) -%} timestamp_add({{ timestamp }}, interval {{ seconds }} second) {%- endmacro %}
