{# The end of a materialization: the rows of `sql` become the model's table, or, if is_increment said so, replace a part of it. Which
   part, the model's meta says: `key` (rows with the key of a new row) or `touched` (rows in which this column has a value
   that the model named to is_increment holds in its column of that name, or in its column `touched_key`); with neither, all rows. `also` names rows besides.
   `events_only`: where no file is new, there is nothing to store.
   A table that is being changed has no state, so that a run that dies here is followed by a whole one. A table
   built whole where a part was due leaves nothing that others could add to: they are built whole as well. #}
{% macro store_rows(sql) -%} {{ return(adapter.dispatch("store_rows", "tessera")(sql)) }} {%- endmacro %}

{% macro default__store_rows(sql) -%} {{ return(replace_table(sql)) }} {%- endmacro %}

{% macro duckdb__store_rows(sql) -%}
    {%- set increment = graph.get("tessera_increments", {}).get(this.identifier) -%}
    {%- if increment is none -%}{{ return(replace_table(sql)) }}{%- endif -%}
    {%- set counted = ref(increment.counted) -%}
    {%- set part, meta, new = part_name(model), config.get("meta", {}), work_prefix() ~ "new" -%}

    {%- if increment.decided and meta.get("events_only") and not scalar("select count(*) from " ~ counted ~ " where is_new") -%}
        {%- call statement("main") -%}select 1{%- endcall -%}
        {%- set result = {"relations": [this.incorporate(type="table")]} -%}
    {%- elif increment.decided -%}
        {%- do work_table(new, sql) -%}
        {%- do run_query("update " ~ parts_built(counted) ~ " set state = '' where part = '" ~ part ~ "'") -%}
        {%- if meta.get("key") -%}
            {%- set key = meta.get("key") | join(", ") -%}
            {%- do run_query("delete from " ~ this ~ " where (" ~ key ~ ") in (select " ~ key ~ " from " ~ new ~ ")") -%}
        {%- elif meta.get("touched") -%}
            {%- do run_query("delete from " ~ this ~ " where " ~ meta.get("touched") ~ " in (select " ~ meta.get("touched_key", meta.get("touched")) ~ " from " ~ ref(increment.source) ~ ")") -%}
        {%- else -%}
            {%- do run_query("delete from " ~ this) -%}
        {%- endif -%}
        {%- if meta.get("also") -%}{%- do run_query("delete from " ~ this ~ " where " ~ meta.get("also")) -%}{%- endif -%}
        {%- set columns = adapter.get_columns_in_relation(this) | map(attribute="name") | join(", ") -%}
        {%- call statement("main") -%}insert into {{ this }} ({{ columns }}) select {{ columns }} from {{ new }}{%- endcall -%}
        {%- do adapter.commit() -%}
        {%- do drop_work_tables([new]) -%}
        {%- set result = {"relations": [this.incorporate(type="table")]} -%}
    {%- else -%}
        {%- do forget_part(counted) -%}
        {%- set result = replace_table(sql) -%}
        {%- if load_cached_relation(counted) is not none -%}
            {%- do run_query("update " ~ counted ~ " set former_state = null where former_state is not null") -%}
            {%- do run_query("insert into " ~ parts_built(counted) ~ " (part, state) values ('" ~ part ~ "', '')") -%}
        {%- endif -%}
    {%- endif -%}
    {%- if load_cached_relation(counted) is not none -%}
        {%- call statement("book") -%}
            update {{ parts_built(counted) }} set state = (select min(state) from {{ counted }}) where part = '{{ part }}'
        {%- endcall -%}
        {%- do adapter.commit() -%}
    {%- endif -%}
    {{ return(result) }}
{%- endmacro %}

{% macro postgres__store_rows(sql) -%} {{ return(tessera.duckdb__store_rows(sql)) }} {%- endmacro %}

{# Strike the model off the book, as it is now and as it was before it was edited. #}
{% macro forget_part(counted) -%}
    {%- do run_query("delete from " ~ parts_built(counted) ~ " where substr(part, 1, " ~ (this.identifier | length + 1) ~ ") = '" ~ this.identifier ~ " '") -%}
{%- endmacro %}

{# A table of which an increment replaces a part (see store_rows); the model's SQL gives the new rows. #}
{% materialization increment, default %}
    {%- do run_hooks(pre_hooks) -%}
    {%- set result = store_rows(sql) -%}
    {%- do run_hooks(post_hooks) -%}
    {{ return(result) }}
{% endmaterialization %}
