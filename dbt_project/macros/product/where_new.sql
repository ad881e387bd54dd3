{# In an increment: only what this run's events are on. #}
{% macro where_new(is_increment, word="where", column="run_number") -%}
    {%- if is_increment -%} {{ word }} {{ column }} in (select run_number from {{ ref("int_files_counted") }}) {%- endif -%}
{%- endmacro %}
