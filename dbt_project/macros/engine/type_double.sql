{# The name of the 64-bit floating point type. Differs by engine; dbt's type_float is 32 bits wide on DuckDB. #}
{% macro type_double() -%} {{ return(adapter.dispatch("type_double", "tessera")()) }} {%- endmacro %}

{% macro default__type_double() -%} {{ return("double") }} {%- endmacro %}

{% macro postgres__type_double() -%} {{ return("double precision") }} {%- endmacro %}

{% macro bigquery__type_double() -%} {{ return("float64") }} {%- endmacro %}
