{# The pieces of a text between separators (a character), one row each, behind a relation of `from`.
   Differs by engine: the function that makes rows, and how it is joined. #}
{% macro text_rows(text, separator, name) -%} {{ adapter.dispatch("text_rows", "tessera")(text, separator, name) }} {%- endmacro %}

{# A select of its own: `cross join unnest(…)` of an expression would be planned as a join, which costs twice as much. #}
{% macro duckdb__text_rows(text, separator, name) -%}
    cross join (select unnest(string_split({{ text }}, {{ separator }}))) as {{ name }}_rows ({{ name }})
{%- endmacro %}

{# PostgreSQL finds no piece in an empty text; elsewhere that is one, empty piece. #}
{% macro postgres__text_rows(text, separator, name) -%}
    cross join unnest(case when {{ text }} = '' then array[''] else string_to_array({{ text }}, {{ separator }}) end) as {{ name }}_rows ({{ name }})
{%- endmacro %}

{% macro spark__text_rows(text, separator, name) -%}
    lateral view explode(split({{ text }}, {{ separator }})) {{ name }}_rows as {{ name }}
{%- endmacro %}

{% macro snowflake__text_rows(text, separator, name) -%}
    cross join lateral split_to_table({{ text }}, {{ separator }}) as {{ name }}_rows (seq, index, {{ name }})
{%- endmacro %}

{% macro bigquery__text_rows(text, separator, name) -%} cross join unnest(split({{ text }}, {{ separator }})) as {{ name }} {%- endmacro %}
