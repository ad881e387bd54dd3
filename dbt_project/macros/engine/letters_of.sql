{# The ASCII letters and digits of a text, in lower case. Differs by engine: DuckDB and PostgreSQL replace only the first match unless told. #}
{% macro letters_of(text) -%} {{ adapter.dispatch("letters_of", "tessera")(text) }} {%- endmacro %}

{% macro default__letters_of(text) -%} regexp_replace(lower({{ text }}), '[^a-z0-9]', '', 'g') {%- endmacro %}

{% macro spark__letters_of(text) -%} regexp_replace(lower({{ text }}), '[^a-z0-9]', '') {%- endmacro %}

{% macro snowflake__letters_of(text) -%} {{ spark__letters_of(text) }} {%- endmacro %}

{% macro bigquery__letters_of(text) -%} {{ spark__letters_of(text) }} {%- endmacro %}
