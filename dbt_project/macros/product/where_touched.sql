{# In an increment: only what was touched. `columns` hold what column `key` of the model `touched` names; any of them will do. #}
{% macro where_touched(is_increment, columns, word="where", touched="int_identifiers_touched", key="node") -%}
    {%- if is_increment -%}
        {{ word }} (
            {%- for column in columns -%}
                {{ " or " if not loop.first }}{{ column }} in (select {{ key }} from {{ ref(touched) }})
            {%- endfor -%}
        )
    {%- endif -%}
{%- endmacro %}

{# In an increment: only the profiles, or the accounts, that were touched. #}
{% macro where_holder_touched(is_increment, level, word="where") -%}
    {{ where_touched(is_increment, [level ~ "_id"], word, "int_" ~ level ~ "s_touched", level ~ "_id") }}
{%- endmacro %}
