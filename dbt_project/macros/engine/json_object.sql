{# A JSON object (text) of the given columns, keys in the order given, nulls kept.
   Differs by engine: the constructor's name. `columns` maps key → SQL expression. #}
{% macro json_object(columns) -%} {{ adapter.dispatch("json_object", "tessera")(columns) }} {%- endmacro %}

{% macro default__json_object(columns) -%}
    cast(json_object({% for key, value in columns.items() %}'{{ key }}', {{ value }}{{ ", " if not loop.last }}{% endfor %}) as {{ dbt.type_string() }})
{%- endmacro %}
