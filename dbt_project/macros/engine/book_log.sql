{# After a log was appended to: what store_rows books for a table. A log that was not, for the run is as of a time before its newest row (in
   column `at`), has no state: the run that follows compares everything. Differs by engine: as is_increment does. #}
{% macro book_log(at) -%} {{ return(adapter.dispatch("book_log", "tessera")(at)) }} {%- endmacro %}

{% macro default__book_log(at) -%} {{ return("") }} {%- endmacro %}

{% macro duckdb__book_log(at) -%}
    {%- if execute -%}
        {%- set counted = ref(graph["tessera_increments"][this.identifier].counted) -%}
        {%- do forget_part(counted) -%}
        {%- do run_query("insert into " ~ parts_built(counted) ~ " (part, state) select '" ~ part_name(model)
            ~ "', case when newest.changed_at > counted.as_of then '' else counted.state end from " ~ counted
            ~ " as counted cross join (select max(" ~ at ~ ") as changed_at from " ~ this ~ ") as newest") -%}
    {%- endif -%}
    {{ return("") }}
{%- endmacro %}

{% macro postgres__book_log(at) -%} {{ return(tessera.duckdb__book_log(at)) }} {%- endmacro %}
