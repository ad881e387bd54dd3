{# A text's hash: 32 hexadecimal digits, the same on every engine. Differs by engine: the function's name. #}
{% macro text_hash(expression) -%} {{ adapter.dispatch("text_hash", "tessera")(expression) }} {%- endmacro %}

{% macro duckdb__text_hash(expression) -%} substr(sha256({{ expression }}), 1, 32) {%- endmacro %}

{% macro postgres__text_hash(expression) -%}
    substr(encode(sha256(convert_to({{ expression }}, 'UTF8')), 'hex'), 1, 32)
{%- endmacro %}

{% macro spark__text_hash(expression) -%} substr(sha2({{ expression }}, 256), 1, 32) {%- endmacro %}

{% macro snowflake__text_hash(expression) -%} substr(sha2({{ expression }}, 256), 1, 32) {%- endmacro %}

{% macro bigquery__text_hash(expression) -%} substr(to_hex(sha256({{ expression }})), 1, 32) {%- endmacro %}
