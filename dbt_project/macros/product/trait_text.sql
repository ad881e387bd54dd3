{# A trait's value as text by its declared type, so that a declared type and the text agree on every engine. #}
{% macro trait_text(column, type) -%}
    {%- set types = {
        "string": dbt.type_string(), "bigint": "bigint", "decimal": type_decimal(), "double": type_double(),
        "boolean": "boolean", "date": "date", "timestamp": dbt.type_timestamp(), "list": dbt.type_string(),
    } -%}
    {%- if type not in types -%}
        {{ exceptions.raise_compiler_error(
            "A trait has a value type that does not exist.\n  where: vars: sql_traits in dbt_project/dbt_project.yml\n  found: "
            ~ type ~ "\n  allowed: " ~ (types.keys() | join(", ")) ~ "\n  to do: correct the type on the trait's line"
        ) }}
    {%- endif -%}
    {%- if type == "timestamp" -%} {{ timestamp_text(column) }}
    {%- elif type == "decimal" -%} {{ decimal_text(limited_decimal(column)) }}
    {%- else -%} cast(cast({{ column }} as {{ types[type] }}) as {{ dbt.type_string() }})
    {%- endif -%}
{%- endmacro %}
