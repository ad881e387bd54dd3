{# An identifier's first place with a value. #}
{% macro identifier_found(column) -%}
    {%- if column.places | length == 1 -%} {{ identifier_place(column.places[0]) }}
    {%- else -%}
        coalesce({% for place in column.places %}{{ identifier_place(place) }}{{ ", " if not loop.last }}{% endfor %})
    {%- endif -%}
{%- endmacro %}
