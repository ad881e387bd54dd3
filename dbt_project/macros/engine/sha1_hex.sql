{# SHA-1 of a text: 40 hexadecimal digits, as Segment writes external_id_hash. A name, not a protection.
   Differs by engine: the function's name; PostgreSQL has it in the extension pgcrypto, which it ships. #}
{% macro sha1_hex(expression) -%} {{ adapter.dispatch("sha1_hex", "tessera")(expression) }} {%- endmacro %}

{% macro default__sha1_hex(expression) -%} sha1({{ expression }}) {%- endmacro %}

{% macro postgres__sha1_hex(expression) -%}
    {%- if execute %}{% do run_query("create extension if not exists pgcrypto") %}{% endif -%}
    encode(digest({{ expression }}, 'sha1'), 'hex')
{%- endmacro %}

{% macro bigquery__sha1_hex(expression) -%} to_hex(sha1({{ expression }})) {%- endmacro %}
