{# In a SQL trait that is built in increments: whether a profile_id, or an account_id, is one of those whose traits this run computes anew. In a
   run that computes all, everybody is. #}
{% macro is_touched(column) -%}
    {%- set level = column.split("_")[0] -%}
    {%- if is_increment("int_" ~ level ~ "s_touched", counted="int_runs_compared") -%} {{ where_holder_touched(true, level, "") }}
    {%- else -%} 1 = 1
    {%- endif -%}
{%- endmacro %}
