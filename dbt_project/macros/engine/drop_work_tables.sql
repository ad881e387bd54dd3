{# Drop the tables that work_table made. The same on every engine. #}
{% macro drop_work_tables(names) -%}
    {%- for name in names %}{% do run_query("drop table if exists " ~ name) %}{% endfor -%}
{%- endmacro %}
