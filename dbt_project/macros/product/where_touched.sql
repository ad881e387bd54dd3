{# In an increment: only what was touched. `columns` hold nodes; any of them will do. #}
{% macro where_touched(is_increment, columns, word="where") -%}
    {%- if is_increment -%}
        {{ word }} (
            {%- for column in columns -%}
                {{ " or " if not loop.first }}{{ column }} in (select node from {{ ref("int_identifiers_touched") }})
            {%- endfor -%}
        )
    {%- endif -%}
{%- endmacro %}
