{# A regular expression as a SQL literal: a dot is any character, `$` the end of the text (a dollar itself is `[$]`). Use the subset
   that all engines share: no look-around, no alternatives of which one begins another (PostgreSQL takes the longest, not the first).
   Differs by engine: elsewhere a dot is no line break, and Spark's `$` is also before a line break at the end. #}
{% macro pattern_literal(pattern) -%} {{ return(adapter.dispatch("pattern_literal", "tessera")(pattern)) }} {%- endmacro %}

{% macro default__pattern_literal(pattern) -%} {{ return(text_literal("(?s)" ~ pattern)) }} {%- endmacro %}

{% macro postgres__pattern_literal(pattern) -%} {{ return(text_literal(pattern)) }} {%- endmacro %}

{% macro spark__pattern_literal(pattern) -%}
    {{ return(text_literal("(?s)" ~ modules.re.sub("(?<![\\[\\\\])[$]", "\\\\z", pattern))) }}
{%- endmacro %}

{# Snowflake knows neither flags within a pattern nor groups that do not capture. #}
{% macro snowflake__pattern_literal(pattern) -%} {{ return(text_literal(pattern | replace("(?:", "("))) }} {%- endmacro %}
