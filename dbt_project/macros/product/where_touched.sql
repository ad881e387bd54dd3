{# In an increment: only what was touched. `column` holds nodes. #}
{% macro where_touched(is_increment, column="node", word="where") -%}
    {%- if is_increment -%} {{ word }} {{ column }} in (select node from {{ ref("int_identifiers_touched") }}) {%- endif -%}
{%- endmacro %}
