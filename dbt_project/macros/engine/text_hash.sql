{# A text's hash: 32 hexadecimal digits, the same on every engine. Differs by engine: the function's name. #}
{% macro text_hash(expression) -%} {{ adapter.dispatch("text_hash", "tessera")(expression) }} {%- endmacro %}

{% macro default__text_hash(expression) -%} substr(sha256({{ expression }}), 1, 32) {%- endmacro %}

{# A 60-bit integer from the first hexadecimal digits of a hash: an engine-local key that joins faster than text. #}
{% macro hash_integer(hash, digits=15) -%} {{ adapter.dispatch("hash_integer", "tessera")(hash, digits) }} {%- endmacro %}

{% macro default__hash_integer(hash, digits) -%}
    cast('0x' || substr({{ hash }}, 1, {{ digits }}) as bigint)
{%- endmacro %}

{% macro postgres__text_hash(expression) -%}
    substr(encode(sha256(convert_to({{ expression }}, 'UTF8')), 'hex'), 1, 32)
{%- endmacro %}

{% macro postgres__hash_integer(hash, digits) -%}
    cast(cast('x' || lpad(substr({{ hash }}, 1, {{ digits }}), 16, '0') as bit(64)) as bigint)
{%- endmacro %}

{% macro spark__text_hash(expression) -%} substr(sha2({{ expression }}, 256), 1, 32) {%- endmacro %}

{% macro spark__hash_integer(hash, digits) -%}
    cast(conv(substr({{ hash }}, 1, {{ digits }}), 16, 10) as bigint)
{%- endmacro %}
