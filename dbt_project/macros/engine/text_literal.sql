{# A text as an SQL literal. The one function that quotes data in compiled SQL. Differs by engine: whether a backslash escapes. #}
{% macro text_literal(text) -%} {{ adapter.dispatch("text_literal", "tessera")(text) }} {%- endmacro %}

{% macro default__text_literal(text) -%} '{{ text | replace("'", "''") }}' {%- endmacro %}

{% macro spark__text_literal(text) -%} '{{ text | replace("\\", "\\\\") | replace("'", "\\'") }}' {%- endmacro %}
