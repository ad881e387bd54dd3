{# Whether only a part of the model's table has to be built: what new events, or a reviewed line, touch. `source` names the model that says
   what that is; it becomes a dependency, as `counted` does. True only if the run may add to what the former run left (`counted` says that),
   and if this table is as the former run left it; store_rows keeps the book. Otherwise the model's whole SQL is right, whatever happened before.
   Differs by engine: tables without DELETE are always built whole, and so are those of engines that we cannot try it on. #}
{% macro is_increment(source, counted="int_files_counted", also=[]) -%}
    {%- if not execute -%}{%- for name in [source, counted] + also %}{% do ref(name) %}{% endfor -%}{%- endif -%}
    {%- set decided = adapter.dispatch("is_increment", "tessera")(counted) -%}
    {#- The decision holds until the table is stored, whatever other models do meanwhile. -#}
    {%- do graph.setdefault("tessera_increments", {}).update({this.identifier: {"decided": decided, "source": source, "counted": counted}}) -%}
    {{ return(decided) }}
{%- endmacro %}

{% macro default__is_increment(counted) -%} {{ return(false) }} {%- endmacro %}

{% macro duckdb__is_increment(counted) -%}
    {%- if not execute or model.resource_type != "model" or flags.WHICH not in ["run", "build", "retry"] or should_full_refresh()
        or load_cached_relation(this) is none -%}
        {{ return(false) }}
    {%- endif -%}
    {{ return(scalar("select count(*) from " ~ ref(counted) ~ " as counted inner join "
        ~ parts_built(ref(counted)) ~ " as built on counted.former_state = built.state where built.part = '" ~ part_name(model) ~ "'") > 0) }}
{%- endmacro %}

{% macro postgres__is_increment(counted) -%} {{ return(tessera.duckdb__is_increment(counted)) }} {%- endmacro %}
