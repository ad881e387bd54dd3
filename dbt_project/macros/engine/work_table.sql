{# A table that an iterative materialization works with; it lives as long as the connection, or until drop_work_tables.
   Differs by engine: whether a session has temporary tables, and whether one statement can replace them. #}
{% macro work_table(name, sql) -%} {{ return(adapter.dispatch("work_table", "tessera")(name, sql)) }} {%- endmacro %}

{% macro default__work_table(name, sql) -%}
    {%- do run_query("drop table if exists " ~ name) -%}
    {%- do run_query("create temporary table " ~ name ~ " as " ~ sql) -%}
    {{ return(name) }}
{%- endmacro %}

{% macro duckdb__work_table(name, sql) -%}
    {%- do run_query("create or replace temporary table " ~ name ~ " as " ~ sql) -%}
    {{ return(name) }}
{%- endmacro %}

{# Spark has no temporary tables and evaluates views anew each time they are read, so a work table is a table of the model's schema. #}
{% macro spark__work_table(name, sql) -%}
    {%- do run_query("drop table if exists " ~ name) -%}
    {%- do run_query("create table " ~ name ~ " using parquet as " ~ sql) -%}
    {{ return(name) }}
{%- endmacro %}

{# BigQuery's temporary tables end with the statement that made them; Databricks' catalogs hold Delta tables only. #}
{% macro bigquery__work_table(name, sql) -%}
    {%- do run_query("create or replace table " ~ name ~ " as " ~ sql) -%}
    {{ return(name) }}
{%- endmacro %}

{% macro databricks__work_table(name, sql) -%} {{ return(tessera.bigquery__work_table(name, sql)) }} {%- endmacro %}
