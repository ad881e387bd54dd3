{# Whether a text has a match of a pattern of the tracking plan, written portably (orchestration/lib/plan/schema.py).
   Differs by engine: the function, and what `$` means: on Spark also the place before a last line end, elsewhere the end only. #}
{% macro has_match(text, pattern) -%} {{ adapter.dispatch("has_match", "tessera")(text, pattern) }} {%- endmacro %}

{% macro duckdb__has_match(text, pattern) -%} regexp_matches({{ text }}, {{ text_literal(pattern) }}) {%- endmacro %}

{% macro postgres__has_match(text, pattern) -%} ({{ text }} ~ {{ text_literal(pattern) }}) {%- endmacro %}

{# (?d): only \n ends a line; an unescaped $ outside a class is the end of the text. #}
{% macro spark__has_match(text, pattern) -%}
    {%- set ends = modules.re.sub("((?:[^\\\\$\\[]|\\\\.|\\[(?:[^\\]\\\\]|\\\\.)*\\])*)\\$", "\\1\\\\z", pattern) -%}
    ({{ text }} rlike {{ text_literal(ends) }})
{%- endmacro %}
