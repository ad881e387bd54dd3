{# Groups of nodes that the best evidence forms without breaking a rule. The model's SQL gives evidence (node_a, node_b, rank: bigint, 1 is the
   best and each rank occurs once among nodes that evidence connects); `meta.rules` names the model that says what nodes bring into a group (node, kind, allowed): a group may
   hold at most `allowed` nodes that bring a kind. The table has one row a node with evidence: node, component.

   It is what Kruskal's loop gives: take evidence in rank order, unite both sides unless that breaks a rule. In passes: pairs of groups
   whose union breaks a rule are dropped (groups only grow, so it always will); groups whose best remaining evidence is each other's
   are united, since whatever comes before it in rank order concerns neither. Such pairs can be few in a pass (a long chain whose
   evidence was found from one end to the other), so after `patience` passes every other one takes the best part of all evidence: a
   component of it that breaks no rule is what the loop would have made of it. The part is halved when nothing comes of it, and doubled
   when something does. #}
{% materialization ranked_union, default %}
    {%- set prefix = work_prefix() -%}
    {%- set rules = this.incorporate(path={"identifier": config.get("meta").rules}) -%}
    {%- set patience = config.get("meta").get("patience", 24) -%}
    {%- set pair -%} least(node_a, node_b) as a, greatest(node_a, node_b) as b, min(rank) as rank {%- endset -%}
    {%- set breaking -%}
        select pairs.a, pairs.b from {0}pairs as pairs
        inner join {0}held_{1} as x on pairs.a = x.node inner join {0}held_{1} as y on pairs.b = y.node and x.kind = y.kind
        where x.held + y.held > x.allowed
    {%- endset -%}

    {%- set tables = [work_table(prefix ~ "given", sql)] -%}
    {%- do tables.append(work_table(prefix ~ "groups_0",
        "select distinct node, node as component from (select node_a as node from " ~ prefix ~ "given union all select node_b from "
        ~ prefix ~ "given) as nodes")) -%}
    {%- do tables.append(work_table(prefix ~ "held_0",
        "select rules.node, rules.kind, rules.allowed, cast(1 as bigint) as held from " ~ rules ~ " as rules inner join "
        ~ prefix ~ "groups_0 as grouped on rules.node = grouped.node")) -%}
    {%- do tables.append(work_table(prefix ~ "pairs",
        "select " ~ pair ~ " from " ~ prefix ~ "given where node_a <> node_b group by least(node_a, node_b), greatest(node_a, node_b)")) -%}

    {%- set state = namespace(pairs=1, pass=0, part=0.5) -%}
    {%- for _ in range(100000) -%}
        {%- if state.pairs == 0 -%}{%- break -%}{%- endif -%}
        {%- set this_pass, next = (state.pass % 2) | string, ((state.pass + 1) % 2) | string -%}
        {%- do tables.append(work_table(prefix ~ "possible",
            "select pairs.a, pairs.b, pairs.rank from " ~ prefix ~ "pairs as pairs left join (select distinct a, b from ("
            ~ breaking.format(prefix, this_pass) ~ ") as broken) as broken on pairs.a = broken.a and pairs.b = broken.b where broken.a is null")) -%}
        {%- set is_late = state.pass >= patience and state.pass % 2 == 0 -%}
        {%- set left = scalar("select count(*) from " ~ prefix ~ "possible") | int if is_late else 0 -%}
        {%- set is_part = left > 1 -%}
        {%- if is_part -%}
            {%- set last = scalar("select max(rank) from (select rank from " ~ prefix ~ "possible order by rank limit "
                ~ [(left * state.part) | int, 1] | max ~ ") as best") -%}
            {%- set parts = component_table(prefix ~ "parts",
                "select a as node_a, b as node_b from " ~ prefix ~ "possible where rank <= " ~ last) -%}
            {%- do tables.append(parts) -%}
            {%- do tables.append(work_table(prefix ~ "united",
                "with broken as (select distinct component from (select parts.component from " ~ parts ~ " as parts inner join "
                ~ prefix ~ "held_" ~ this_pass ~ " as held on parts.node = held.node group by parts.component, held.kind, held.allowed "
                ~ "having sum(held.held) > held.allowed) as crowded) "
                ~ "select parts.node, parts.component from " ~ parts ~ " as parts left join broken on parts.component = broken.component "
                ~ "where broken.component is null and parts.node <> parts.component")) -%}
            {%- set has_united = scalar("select count(*) from " ~ prefix ~ "united") | int > 0 -%}
            {%- set state.part = [state.part * 2, 1.0] | min if has_united else state.part / 2 -%}
        {%- else -%}
            {%- do tables.append(work_table(prefix ~ "united",
                "with sides as (select a as node, rank from " ~ prefix ~ "possible union all select b, rank from " ~ prefix ~ "possible), "
                ~ "best as (select node, min(rank) as rank from sides group by node) "
                ~ "select possible.b as node, possible.a as component from " ~ prefix ~ "possible as possible "
                ~ "inner join best as x on possible.a = x.node and possible.rank = x.rank "
                ~ "inner join best as y on possible.b = y.node and possible.rank = y.rank")) -%}
        {%- endif -%}
        {%- do tables.append(work_table(prefix ~ "groups_" ~ next,
            "select grouped.node, coalesce(united.component, grouped.component) as component from " ~ prefix ~ "groups_" ~ this_pass
            ~ " as grouped left join " ~ prefix ~ "united as united on grouped.component = united.node")) -%}
        {%- do tables.append(work_table(prefix ~ "held_" ~ next,
            "select coalesce(united.component, held.node) as node, held.kind, held.allowed, cast(sum(held.held) as bigint) as held from "
            ~ prefix ~ "held_" ~ this_pass ~ " as held left join " ~ prefix ~ "united as united on held.node = united.node"
            ~ " group by coalesce(united.component, held.node), held.kind, held.allowed")) -%}
        {%- do tables.append(work_table(prefix ~ "pairs",
            "with moved as (select coalesce(x.component, possible.a) as node_a, coalesce(y.component, possible.b) as node_b, possible.rank"
            ~ " from " ~ prefix ~ "possible as possible left join " ~ prefix ~ "united as x on possible.a = x.node"
            ~ " left join " ~ prefix ~ "united as y on possible.b = y.node)"
            ~ " select " ~ pair ~ " from moved where node_a <> node_b group by least(node_a, node_b), greatest(node_a, node_b)")) -%}
        {%- set state.pairs = scalar("select count(*) from " ~ prefix ~ "pairs") -%}
        {%- set state.pass = state.pass + 1 -%}
    {%- endfor -%}

    {%- set result = store_rows("select node, component from " ~ prefix ~ "groups_" ~ (state.pass % 2)) -%}
    {%- do drop_work_tables(tables) -%}
    {{ return(result) }}
{% endmaterialization %}
