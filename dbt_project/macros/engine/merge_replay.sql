{# When each cluster of a component lost its name. The model's SQL gives evidence (component, a, b, evidence_number), a and b being
   the seniority of two members (1 names the component); the table has one row a member that ceased to lead its cluster: component,
   seniority, evidence_number (the evidence that joined it to an older one).

   Adding evidence in order, a cluster's first join is its smallest remaining evidence; if that leads to a cluster with an older
   leader, the younger leader's time ends there, whatever else happens before. So each round ends many leaders at once; the
   component's smallest remaining evidence always ends one, so the loop ends. #}
{% materialization merge_replay, default %}
    {%- set prefix = work_prefix() -%}
    {%- set tables = [work_table(prefix ~ "evidence_0", sql)] -%}
    {%- set ends = [] -%}

    {%- set state = namespace(evidence=scalar("select count(*) from " ~ prefix ~ "evidence_0")) -%}
    {%- for round in range(10000) if state.evidence > 0 -%}
        {%- set evidence = prefix ~ "evidence_" ~ (round % 2) -%}
        {%- set ended = prefix ~ "ended_" ~ round -%}
        {%- do tables.append(work_table(prefix ~ "nearest",
            "with sides as (select component, a as leader, b as other, evidence_number from " ~ evidence
            ~ " union all select component, b as leader, a as other, evidence_number from " ~ evidence ~ "), "
            ~ "firsts as (select component, leader, min(evidence_number) as evidence_number from sides group by component, leader) "
            ~ "select sides.component, sides.leader, sides.other, sides.evidence_number from sides inner join firsts "
            ~ "on sides.component = firsts.component and sides.leader = firsts.leader "
            ~ "and sides.evidence_number = firsts.evidence_number where sides.other < sides.leader")) -%}
        {%- do ends.append(work_table(ended, "select component, leader as seniority, evidence_number from " ~ prefix ~ "nearest")) -%}

        {#- Chains of ended leaders lead to one that goes on: follow them all the way. -#}
        {%- do tables.append(work_table(prefix ~ "paths_0", "select component, leader, other from " ~ prefix ~ "nearest")) -%}
        {%- set depth = namespace(at=0, moving=true) -%}
        {%- for _ in range(64) if depth.moving -%}
            {%- set current = prefix ~ "paths_" ~ (depth.at % 2) -%}
            {%- set next = prefix ~ "paths_" ~ ((depth.at + 1) % 2) -%}
            {%- set depth.moving = scalar("select count(*) from " ~ current ~ " as x inner join " ~ current
                ~ " as y on x.component = y.component and x.other = y.leader") > 0 -%}
            {%- do tables.append(work_table(next,
                "select x.component, x.leader, coalesce(y.other, x.other) as other from " ~ current ~ " as x left join " ~ current
                ~ " as y on x.component = y.component and x.other = y.leader")) -%}
            {%- set depth.at = depth.at + 1 -%}
        {%- endfor -%}
        {%- set paths = prefix ~ "paths_" ~ (depth.at % 2) -%}

        {%- do tables.append(work_table(prefix ~ "evidence_" ~ ((round + 1) % 2),
            "with moved as (select evidence.component, coalesce(x.other, evidence.a) as a, coalesce(y.other, evidence.b) as b, "
            ~ "evidence.evidence_number from " ~ evidence ~ " as evidence "
            ~ "left join " ~ paths ~ " as x on evidence.component = x.component and evidence.a = x.leader "
            ~ "left join " ~ paths ~ " as y on evidence.component = y.component and evidence.b = y.leader) "
            ~ "select component, least(a, b) as a, greatest(a, b) as b, min(evidence_number) as evidence_number from moved "
            ~ "where a <> b group by component, least(a, b), greatest(a, b)")) -%}
        {%- set state.evidence = scalar("select count(*) from " ~ prefix ~ "evidence_" ~ ((round + 1) % 2)) -%}
    {%- endfor -%}

    {%- if state.evidence > 0 -%}
        {{ exceptions.raise_compiler_error(
            "The replay of merges did not end in " ~ (ends | length) ~ " rounds.\n  where: " ~ this ~ "\n  found: " ~ state.evidence
            ~ " pieces of evidence left\n  to do: look for an identifier shared by very many profiles (identity.identity_links) and block it"
        ) }}
    {%- endif -%}

    {%- set result = replace_table(
        "select component, seniority, evidence_number from (select cast(null as bigint) as component, cast(null as bigint) as seniority, "
        ~ "cast(null as bigint) as evidence_number" ~ (" union all select component, seniority, evidence_number from " if ends)
        ~ ends | join(" union all select component, seniority, evidence_number from ") ~ ") as ended where component is not null") -%}
    {%- do drop_work_tables(tables + ends) -%}
    {{ return(result) }}
{% endmaterialization %}
