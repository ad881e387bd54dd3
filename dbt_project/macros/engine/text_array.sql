{# Texts known beforehand as an array; the distinct values of a group as an array. Differs by engine: constructor and aggregate. #}
{% macro text_array(texts) -%} {{ adapter.dispatch("text_array", "tessera")(texts) }} {%- endmacro %}

{% macro duckdb__text_array(texts) -%}
    cast([{% for text in texts %}{{ ", " if not loop.first }}{{ text_literal(text) }}{% endfor %}] as varchar[])
{%- endmacro %}

{% macro postgres__text_array(texts) -%}
    cast(array[{% for text in texts %}{{ ", " if not loop.first }}{{ text_literal(text) }}{% endfor %}] as text[])
{%- endmacro %}

{% macro spark__text_array(texts) -%}
    cast(array({% for text in texts %}{{ ", " if not loop.first }}{{ text_literal(text) }}{% endfor %}) as array<string>)
{%- endmacro %}

{% macro snowflake__text_array(texts) -%}
    array_construct({% for text in texts %}{{ ", " if not loop.first }}{{ text_literal(text) }}{% endfor %})
{%- endmacro %}

{% macro bigquery__text_array(texts) -%}
    array<string>[{% for text in texts %}{{ ", " if not loop.first }}{{ text_literal(text) }}{% endfor %}]
{%- endmacro %}

{% macro collected_texts(column) -%} {{ adapter.dispatch("collected_texts", "tessera")(column) }} {%- endmacro %}

{% macro default__collected_texts(column) -%} coalesce(array_agg(distinct {{ column }}) filter (where {{ column }} is not null), {{ text_array([]) }}) {%- endmacro %}

{% macro spark__collected_texts(column) -%} collect_set({{ column }}) {%- endmacro %}

{# array_agg leaves nulls out, and of nothing is empty. #}
{% macro snowflake__collected_texts(column) -%} array_agg(distinct {{ column }}) {%- endmacro %}

{% macro bigquery__collected_texts(column) -%} coalesce(array_agg(distinct {{ column }} ignore nulls), {{ text_array([]) }}) {%- endmacro %}
