{# The components of an undirected graph (see component_table). The model's SQL gives edges (node_a, node_b: bigint); the table has one
   row a node: node, component. #}
{% materialization connected_components, default %}
    {%- set components = component_table(work_prefix() ~ "components", sql) -%}
    {%- set result = store_rows("select node, component from " ~ components) -%}
    {%- do drop_work_tables([components]) -%}
    {{ return(result) }}
{% endmaterialization %}
