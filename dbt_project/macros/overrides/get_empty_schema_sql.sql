{# A contract's types as dbt compares them with the model's: BigQuery casts to no precision, so decimal(18,4) is compared as decimal.
   The table itself is made with the precision. #}
{% macro bigquery__get_empty_schema_sql(columns) -%}
    {%- set plain = {} -%}
    {%- for name, column in columns.items() -%}
        {%- do plain.update({name: dict(column, data_type=column["data_type"].split("(")[0])}) -%}
    {%- endfor -%}
    {{ return(dbt.bigquery__get_empty_schema_sql(plain)) }}
{%- endmacro %}
