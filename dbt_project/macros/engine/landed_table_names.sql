{# The names of the tables and views in a schema that is not ours (`schema` is a relation without an identifier).
   Differs by engine: where the engine lists them. #}
{% macro landed_table_names(schema) -%} {{ return(adapter.dispatch("landed_table_names", "tessera")(schema)) }} {%- endmacro %}

{% macro default__landed_table_names(schema, catalog="") -%}
    {%- set names -%}
        select table_name from {{ catalog }}information_schema.tables where lower(table_schema) = lower({{ text_literal(schema.schema) }})
    {%- endset -%}
    {{ return(run_query(names).columns[0].values() | list) }}
{%- endmacro %}

{# A database of its own has a catalog of its own. #}
{% macro snowflake__landed_table_names(schema) -%}
    {{ return(tessera.default__landed_table_names(schema, schema.database ~ ".")) }}
{%- endmacro %}

{% macro spark__landed_table_names(schema) -%}
    {{ return(run_query("show tables in " ~ adapter.quote(schema.schema)).columns[1].values() | list) }}
{%- endmacro %}

{% macro bigquery__landed_table_names(schema) -%}
    {%- set names -%}
        select table_name from {{ adapter.quote(schema.database) }}.{{ adapter.quote(schema.schema) }}.INFORMATION_SCHEMA.TABLES
    {%- endset -%}
    {{ return(run_query(names).columns[0].values() | list) }}
{%- endmacro %}
