{# A timestamp as ISO 8601 text with milliseconds and Z.
   Differs by engine: the formatting function. #}
{% macro timestamp_text(timestamp) -%} {{ adapter.dispatch("timestamp_text", "tessera")(timestamp) }} {%- endmacro %}

{% macro duckdb__timestamp_text(timestamp) -%} strftime({{ timestamp }}, '%Y-%m-%dT%H:%M:%S.%gZ') {%- endmacro %}

{% macro postgres__timestamp_text(timestamp) -%} to_char({{ timestamp }}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') {%- endmacro %}

{% macro spark__timestamp_text(timestamp) -%} date_format({{ timestamp }}, "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'") {%- endmacro %}

{% macro snowflake__timestamp_text(timestamp) -%} to_char({{ timestamp }}, 'YYYY-MM-DD"T"HH24:MI:SS.FF3"Z"') {%- endmacro %}

{% macro bigquery__timestamp_text(timestamp) -%} format_timestamp('%Y-%m-%dT%H:%M:%E3SZ', {{ timestamp }}) {%- endmacro %}
