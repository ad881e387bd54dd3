{# A number as text with four digits after the point. Differs by engine: BigQuery's cast leaves trailing zeros out. #}
{% macro decimal_text(column) -%} {{ adapter.dispatch("decimal_text", "tessera")(column) }} {%- endmacro %}

{% macro default__decimal_text(column) -%} cast(cast({{ column }} as {{ type_decimal() }}) as {{ dbt.type_string() }}) {%- endmacro %}

{% macro bigquery__decimal_text(column) -%} format('%.4f', cast({{ column }} as numeric)) {%- endmacro %}
