{# Replace the model's table by the rows of `sql`. Called last, so a loop that fails leaves the former table in place. #}
{% macro replace_table(sql) -%}
    {%- set relation = this.incorporate(type="table") -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none %}{% do adapter.drop_relation(existing) %}{% endif -%}
    {%- call statement("main") -%}{{ create_table_as(False, relation, sql) }}{%- endcall -%}
    {%- do adapter.commit() -%}
    {{ return({"relations": [relation]}) }}
{%- endmacro %}
