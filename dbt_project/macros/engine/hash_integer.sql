{# A 60-bit integer from the first hexadecimal digits of a hash: an engine-local key that joins faster than text.
   Differs by engine: how hexadecimal digits are read as a number. #}
{% macro hash_integer(hash, digits=15) -%} {{ adapter.dispatch("hash_integer", "tessera")(hash, digits) }} {%- endmacro %}

{% macro duckdb__hash_integer(hash, digits) -%}
    cast('0x' || substr({{ hash }}, 1, {{ digits }}) as bigint)
{%- endmacro %}

{% macro postgres__hash_integer(hash, digits) -%}
    cast(cast('x' || lpad(substr({{ hash }}, 1, {{ digits }}), 16, '0') as bit(64)) as bigint)
{%- endmacro %}

{% macro spark__hash_integer(hash, digits) -%}
    cast(conv(substr({{ hash }}, 1, {{ digits }}), 16, 10) as bigint)
{%- endmacro %}

{% macro snowflake__hash_integer(hash, digits) -%}
    cast(to_number(substr({{ hash }}, 1, {{ digits }}), '{{ "X" * digits }}') as bigint)
{%- endmacro %}

{% macro bigquery__hash_integer(hash, digits) -%}
    cast('0x' || substr({{ hash }}, 1, {{ digits }}) as bigint)
{%- endmacro %}
