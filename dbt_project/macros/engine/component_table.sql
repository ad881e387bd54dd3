{# A work table with the components of an undirected graph. `sql` gives edges (node_a, node_b: bigint); the table has one row a node:
   node, component (the component's smallest node). Nodes without an edge do not occur; an edge may lead back to its node.

   Each round hooks every node to its smallest neighbour (a local minimum that nobody hooked to follows its neighbours' choice, so
   every tree has two nodes at least), flattens the trees by pointer doubling and contracts the edges to the roots: the number of
   rounds is logarithmic in the nodes, whatever the diameter, and nothing is random (Shiloach and Vishkin 1982). #}
{% macro component_table(name, sql) -%}
    {%- set prefix = name ~ "_" -%}
    {%- set tables = [] -%}
    {%- set rounds = [] -%}

    {%- do tables.append(work_table(prefix ~ "edges_0",
        "select least(node_a, node_b) as a, greatest(node_a, node_b) as b from (" ~ sql ~ ") as edges")) -%}

    {%- set state = namespace(edges=scalar("select count(*) from " ~ prefix ~ "edges_0"), moving=false, flat=none) -%}
    {%- for round in range(64) if state.edges > 0 -%}
        {%- set edges = prefix ~ "edges_" ~ round -%}
        {%- set hooks = prefix ~ "hooks" -%}
        {%- set roots = prefix ~ "roots_" ~ round -%}

        {%- do tables.append(work_table(hooks,
            "with hooked as (select b as node, min(a) as parent from " ~ edges ~ " group by b) select node, parent from hooked union all "
            ~ "select distinct edges.a, edges.a from " ~ edges ~ " as edges left join hooked on edges.a = hooked.node where hooked.node is null")) -%}
        {%- do tables.append(work_table(roots ~ "_0",
            "with followed as (select distinct parent as node from " ~ hooks ~ " where parent <> node), "
            ~ "lonely as (select hooks.node from " ~ hooks ~ " as hooks left join followed on hooks.node = followed.node "
            ~ "where hooks.parent = hooks.node and followed.node is null), "
            ~ "choices as (select lonely.node, min(hooks.parent) as parent from lonely "
            ~ "inner join " ~ edges ~ " as edges on lonely.node = edges.a inner join " ~ hooks ~ " as hooks on edges.b = hooks.node "
            ~ "group by lonely.node) "
            ~ "select hooks.node, coalesce(choices.parent, hooks.parent) as parent, true as has_moved from " ~ hooks ~ " as hooks "
            ~ "left join choices on hooks.node = choices.node")) -%}
        {%- do drop_work_tables([hooks]) -%}

        {%- set state.moving = true -%}
        {%- for doubling in range(64) if state.moving -%}
            {%- set current = roots ~ "_" ~ doubling -%}
            {%- set next = roots ~ "_" ~ (doubling + 1) -%}
            {#- Whose parent was a root stays where it is. -#}
            {%- do tables.append(work_table(next,
                "select node, parent, has_moved from " ~ current ~ " where not has_moved union all "
                ~ "select children.node, coalesce(parents.parent, children.parent) as parent, parents.node is not null as has_moved from "
                ~ "(select node, parent from " ~ current ~ " where has_moved) as children left join (select node, parent from "
                ~ current ~ " where parent <> node) as parents on children.parent = parents.node")) -%}
            {%- set state.moving = scalar("select count(*) from " ~ next ~ " where has_moved") > 0 -%}
            {%- do drop_work_tables([current]) -%}
            {%- set state.flat = next -%}
        {%- endfor -%}
        {%- set roots = state.flat -%}

        {#- Of an edge the greater node never is a root: it hooked to the smaller one, if to no other. -#}
        {%- set children = "(select node, parent from " ~ roots ~ " where parent <> node)" -%}

        {%- do tables.append(work_table(prefix ~ "edges_" ~ (round + 1),
            "select distinct least(coalesce(x.parent, edges.a), y.parent) as a, greatest(coalesce(x.parent, edges.a), y.parent) as b from "
            ~ edges ~ " as edges inner join " ~ children ~ " as y on edges.b = y.node left join " ~ children ~ " as x on edges.a = x.node"
            ~ " where coalesce(x.parent, edges.a) <> y.parent")) -%}
        {%- set state.edges = scalar("select count(*) from " ~ prefix ~ "edges_" ~ (round + 1)) -%}
        {%- do rounds.append(roots) -%}
    {%- endfor -%}

    {%- if state.edges > 0 or state.moving -%}
        {{ exceptions.raise_compiler_error("The components of " ~ this ~ " were not found in " ~ (rounds | length) ~ " rounds; please report this graph.") }}
    {%- endif -%}

    {#- Back from the last contraction to the first: a root of one round is a node of the next. -#}
    {%- set components = namespace(sql="select node, parent as component from " ~ rounds[-1] if rounds
        else "select a as node, a as component from " ~ prefix ~ "edges_0") -%}
    {%- for roots in (rounds[:-1] | reverse | list) -%}
        {%- set components.sql = "select roots.node, coalesce(later.component, roots.parent) as component from " ~ roots
            ~ " as roots left join (" ~ components.sql ~ ") as later on roots.parent = later.node" -%}
    {%- endfor -%}

    {%- do work_table(name, components.sql) -%}
    {%- do drop_work_tables(tables) -%}
    {{ return(name) }}
{%- endmacro %}
