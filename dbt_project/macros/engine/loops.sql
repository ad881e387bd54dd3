{# What the iterative materializations share: work tables that live as long as the connection, a scalar read back, the swap at
   the end. Differs by engine: whether a session has temporary tables. #}
{% macro work_table(name, sql) -%} {{ return(adapter.dispatch("work_table", "tessera")(name, sql)) }} {%- endmacro %}

{% macro default__work_table(name, sql) -%}
    {%- do run_query("drop table if exists " ~ name) -%}
    {%- do run_query("create temporary table " ~ name ~ " as " ~ sql) -%}
    {{ return(name) }}
{%- endmacro %}

{% macro drop_work_tables(names) -%}
    {%- for name in names %}{% do run_query("drop table if exists " ~ name) %}{% endfor -%}
{%- endmacro %}

{% macro scalar(sql) -%} {{ return(run_query(sql).columns[0].values()[0]) }} {%- endmacro %}

{# Replace the model's table by the rows of `sql`. Called last, so a loop that fails leaves the former table in place. #}
{% macro replace_table(sql) -%}
    {%- set relation = this.incorporate(type="table") -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none %}{% do adapter.drop_relation(existing) %}{% endif -%}
    {%- call statement("main") -%}{{ create_table_as(False, relation, sql) }}{%- endcall -%}
    {%- do adapter.commit() -%}
    {{ return({"relations": [relation]}) }}
{%- endmacro %}

{# Spark has no temporary tables and evaluates views anew each time they are read, so a work table is a table of the model's schema. #}
{% macro spark__work_table(name, sql) -%}
    {%- do run_query("drop table if exists " ~ name) -%}
    {%- do run_query("create table " ~ name ~ " using parquet as " ~ sql) -%}
    {{ return(name) }}
{%- endmacro %}

{# What the names of a model's work tables begin with. #}
{% macro work_prefix() -%} {{ return(adapter.dispatch("work_prefix", "tessera")()) }} {%- endmacro %}

{% macro default__work_prefix() -%} {{ return(this.identifier ~ "__") }} {%- endmacro %}

{% macro spark__work_prefix() -%} {{ return(this.schema ~ "." ~ this.identifier ~ "__") }} {%- endmacro %}
