{# A JSON object (text) of columns, all values as text or null, keys in the order given: the same text on every engine.
   `columns` maps key → SQL expression. #}
{% macro json_object(columns) -%}
    concat(
        '{'
        {%- for key, value in columns.items() -%}
            , '{{ "," if not loop.first }}"{{ key }}":', coalesce({{ json_string("cast(" ~ value ~ " as " ~ dbt.type_string() ~ ")") }}, 'null')
        {%- endfor -%}
        , '}'
    )
{%- endmacro %}
