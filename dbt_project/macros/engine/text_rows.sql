{# The pieces of a text between separators (a character), one row each (in a select list). Differs by engine: the function that makes rows. #}
{% macro text_rows(text, separator) -%} {{ adapter.dispatch("text_rows", "tessera")(text, separator) }} {%- endmacro %}

{% macro duckdb__text_rows(text, separator) -%} unnest(string_split({{ text }}, {{ separator }})) {%- endmacro %}

{% macro postgres__text_rows(text, separator) -%} unnest(string_to_array({{ text }}, {{ separator }})) {%- endmacro %}

{% macro spark__text_rows(text, separator) -%} explode(split({{ text }}, {{ separator }})) {%- endmacro %}
