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

        {#- From here on only nodes that follow another one: the others are roots. -#}
        {%- do tables.append(work_table(hooks,
            "select b as node, min(a) as parent from " ~ edges ~ " where a < b group by b")) -%}
        {%- do tables.append(work_table(roots ~ "_0",
            "select node, parent, true as has_moved from " ~ hooks ~ " union all "
            ~ "select edges.a, min(hooks.parent), true from " ~ edges ~ " as edges inner join " ~ hooks ~ " as hooks on edges.b = hooks.node "
            ~ "left join " ~ hooks ~ " as own on edges.a = own.node left join (select distinct parent from " ~ hooks ~ ") as followed "
            ~ "on edges.a = followed.parent where own.node is null and followed.parent is null group by edges.a")) -%}
        {%- do drop_work_tables([hooks]) -%}

        {%- set state.moving = true -%}
        {%- for doubling in range(64) if state.moving -%}
            {%- set current = roots ~ "_" ~ doubling -%}
            {%- set next = roots ~ "_" ~ (doubling + 1) -%}
            {#- Whose parent was a root stays where it is. -#}
            {%- do tables.append(work_table(next,
                "select node, parent, has_moved from " ~ current ~ " where not has_moved union all "
                ~ "select children.node, coalesce(parents.parent, children.parent) as parent, parents.node is not null as has_moved from "
                ~ "(select node, parent from " ~ current ~ " where has_moved) as children left join " ~ current
                ~ " as parents on children.parent = parents.node")) -%}
            {%- set state.moving = scalar("select count(*) from " ~ next ~ " where has_moved") > 0 -%}
            {%- do drop_work_tables([current]) -%}
            {%- set state.flat = next -%}
        {%- endfor -%}
        {%- set roots = state.flat -%}

        {#- Of an edge the greater node never is a root: it hooked to the smaller one, if to no other. Where the smaller one is its
            root, nothing is left of the edge. -#}
        {%- do tables.append(work_table(prefix ~ "edges_" ~ (round + 1),
            "select distinct least(coalesce(x.parent, edges.a), y.parent) as a, greatest(coalesce(x.parent, edges.a), y.parent) as b from "
            ~ edges ~ " as edges inner join " ~ roots ~ " as y on edges.b = y.node and edges.a <> y.parent left join " ~ roots
            ~ " as x on edges.a = x.node where coalesce(x.parent, edges.a) <> y.parent")) -%}
        {%- set state.edges = scalar("select count(*) from " ~ prefix ~ "edges_" ~ (round + 1)) -%}
        {%- do rounds.append(roots) -%}
    {%- endfor -%}

    {%- if state.edges > 0 or state.moving -%}
        {{ exceptions.raise_compiler_error("The components of " ~ this ~ " were not found in " ~ (rounds | length) ~ " rounds; please report this graph.") }}
    {%- endif -%}

    {%- if not rounds -%}
        {%- do work_table(name, "select a as node, a as component from " ~ prefix ~ "edges_0") -%}
        {%- do drop_work_tables(tables) -%}
        {{ return(name) }}
    {%- endif -%}

    {#- Back from the last contraction to the first: a root of one round is a node of the next. -#}
    {%- set found = namespace(nodes="(select node, parent as component from " ~ rounds[-1] ~ ")") -%}
    {%- for roots in (rounds[:-1] | reverse | list) -%}
        {%- set found.nodes = work_table(prefix ~ "found_" ~ loop.index,
            "select roots.node, coalesce(later.component, roots.parent) as component from " ~ roots ~ " as roots left join "
            ~ found.nodes ~ " as later on roots.parent = later.node union all select node, component from " ~ found.nodes ~ " as later") -%}
        {%- do tables.append(found.nodes) -%}
    {%- endfor -%}

    {#- Roots follow nobody; neither do nodes of which every edge leads back. -#}
    {%- do work_table(name,
        "select node, component from " ~ found.nodes ~ " as followers union all select distinct node, node from (select component as node from "
        ~ found.nodes ~ " as followers union all select edges.a from " ~ prefix ~ "edges_0 as edges left join " ~ found.nodes
        ~ " as followers on edges.a = followers.node where edges.a = edges.b and followers.node is null) as roots") -%}
    {%- do drop_work_tables(tables) -%}
    {{ return(name) }}
{%- endmacro %}
