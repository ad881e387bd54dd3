{# Several texts (each may be null) as one engine-local number. Differs by engine: the name of the quick hash of 64 bits. #}
{% macro combination_key(columns) -%}
    {%- set texts = [] -%}
    {%- for column in columns -%} {%- do texts.append("coalesce(" ~ column ~ ", '')") -%} {%- endfor -%}
    {{ adapter.dispatch("combination_key", "tessera")(texts) }}
{%- endmacro %}

{% macro duckdb__combination_key(texts) -%} cast(hash({{ texts | join(", ") }}) >> 1 as bigint) {%- endmacro %}

{% macro postgres__combination_key(texts) -%} hashtextextended({{ texts | join(" || chr(31) || ") }}, 0) {%- endmacro %}

{% macro spark__combination_key(texts) -%} xxhash64({{ texts | join(", ") }}) {%- endmacro %}

{% macro snowflake__combination_key(texts) -%} cast(hash({{ texts | join(", ") }}) as bigint) {%- endmacro %}

{% macro bigquery__combination_key(texts) -%} farm_fingerprint({{ texts | join(" || chr(31) || ") }}) {%- endmacro %}
