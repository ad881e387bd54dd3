{# The state that every table in the book stands at, or none: after a run that did not end, or a single model that was built again, they
   stand at different ones. What is no model any more, or was edited, does not count. Makes the book (see is_increment) if there is none.
   Differs by engine: as is_increment does. #}
{% macro former_state() -%} {{ return(adapter.dispatch("former_state", "tessera")()) }} {%- endmacro %}

{% macro default__former_state() -%} {{ return(none) }} {%- endmacro %}

{% macro duckdb__former_state() -%}
    {%- if not execute or model.resource_type != "model" or flags.WHICH not in ["run", "build", "retry"] -%}{{ return(none) }}{%- endif -%}
    {%- do run_query("create table if not exists " ~ parts_built(this) ~ " (part " ~ dbt.type_string() ~ ", state " ~ dbt.type_string() ~ ")") -%}
    {%- if should_full_refresh() or load_cached_relation(this) is none -%}{{ return(none) }}{%- endif -%}
    {%- set parts = [] -%}
    {%- for node in graph.get("nodes", {}).values() if node.resource_type == "model" -%}{%- do parts.append("'" ~ part_name(node) ~ "'") -%}{%- endfor -%}
    {{ return(scalar("select case when min(built.state) = max(built.state) and min(built.state) = min(counted.state) then min(built.state) end"
        ~ " from " ~ parts_built(this) ~ " as built cross join " ~ this ~ " as counted where built.part in (" ~ parts | join(", ") ~ ")")) }}
{%- endmacro %}

{% macro postgres__former_state() -%} {{ return(tessera.duckdb__former_state()) }} {%- endmacro %}
