{# The type of exact numbers with `scale` digits after the point, to cast to (money has 4, credit 9).
   Differs by engine: BigQuery casts to no precision, its numeric keeps 9 digits; round first where there may be more. #}
{% macro type_decimal(scale=4) -%} {{ return(adapter.dispatch("type_decimal", "tessera")(scale)) }} {%- endmacro %}

{% macro default__type_decimal(scale) -%} {{ return("decimal(18, " ~ scale ~ ")") }} {%- endmacro %}

{% macro bigquery__type_decimal(scale) -%} {{ return("numeric") }} {%- endmacro %}
