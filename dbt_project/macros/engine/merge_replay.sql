{# When each member of a component ceased to name its cluster. The model's SQL gives evidence (component, a, b, evidence_number), a and b
   being the seniority of two members (1 names the component), evidence_number (from 1) counting within the component; the table has one
   row a member but the first: component, seniority, successor (the seniority of the member that names the cluster from then on),
   evidence_number (the evidence that joined it to an older one).

   Time is halved again and again. In a span of time, the components of the first half's evidence say who names what in the middle of
   it; the second half starts from those names, and each half is a span of its own, all spans in one pass. When a span has one piece of
   evidence left, its two ends are the two names that it joined: the older goes on. So the passes are as many as the binary digits of
   the longest history. #}
{% materialization merge_replay, default %}
    {%- set prefix = work_prefix() -%}
    {#- Members of all components are numbered in one row, senior before junior. -#}
    {%- set tables = [work_table(prefix ~ "given", sql)] -%}
    {%- do tables.append(work_table(prefix ~ "sizes",
        "select component, sum(size) over (order by component rows unbounded preceding) - size as members_before from ("
        ~ "select component, max(greatest(a, b)) as size from " ~ prefix ~ "given group by component) as sizes")) -%}
    {%- set members = scalar("select coalesce(max(sizes.members_before + greatest(given.a, given.b)), 0) from " ~ prefix ~ "given as given"
        ~ " inner join " ~ prefix ~ "sizes as sizes on given.component = sizes.component") | int -%}
    {%- set longest = scalar("select coalesce(max(evidence_number), 0) from " ~ prefix ~ "given") | int -%}
    {%- set spans = namespace(length=1) -%}
    {%- for _ in range(62) if spans.length <= longest -%}{%- set spans.length = spans.length * 2 -%}{%- endfor -%}
    {%- set whole = spans.length -%}
    {%- if whole * (members + 1) >= 2 ** 62 -%}
        {{ exceptions.raise_compiler_error("The merges of " ~ this ~ " are too many to number: " ~ members ~ " identifiers, "
            ~ longest ~ " pieces of evidence in one component.") }}
    {%- endif -%}
    {%- do tables.append(work_table(prefix ~ "evidence_0",
        "select given.component, cast(least(a, b) + sizes.members_before as bigint) as a, cast(greatest(a, b) + sizes.members_before as bigint) as b,"
        ~ " cast(evidence_number as bigint) as evidence_number from " ~ prefix ~ "given as given"
        ~ " inner join " ~ prefix ~ "sizes as sizes on given.component = sizes.component where a <> b")) -%}

    {%- set state = namespace(pass=0) -%}
    {%- for _ in range(62) if spans.length > 1 -%}
        {%- set evidence = prefix ~ "evidence_" ~ (state.pass % 2) -%}
        {%- set next = prefix ~ "evidence_" ~ ((state.pass + 1) % 2) -%}
        {%- set half = spans.length // 2 -%}
        {#- A member within a span is one number: the member's, then the span's first. -#}
        {%- set span -%} (evidence_number - mod(evidence_number, {{ spans.length }})) {%- endset -%}
        {%- set is_late -%} mod(evidence_number, {{ spans.length }}) >= {{ half }} {%- endset -%}
        {%- do tables.append(work_table(prefix ~ "keyed",
            "select component, a, b, evidence_number, a * " ~ whole ~ " + " ~ span ~ " as node_a, b * " ~ whole ~ " + " ~ span ~ " as node_b, "
            ~ is_late ~ " as is_late from " ~ evidence)) -%}
        {%- set names = component_table(prefix ~ "names",
            "select node_a, node_b from " ~ prefix ~ "keyed where not is_late") -%}
        {%- do tables.append(names) -%}
        {%- do tables.append(work_table(prefix ~ "members",
            "select distinct node, member from (select node_a as node, a as member from " ~ prefix ~ "keyed where not is_late"
            ~ " union all select node_b, b from " ~ prefix ~ "keyed where not is_late) as members")) -%}
        {%- do tables.append(work_table(prefix ~ "named",
            "select names.node, members.member as name from " ~ names ~ " as names inner join " ~ prefix ~ "members as members"
            ~ " on names.component = members.node where names.node <> names.component")) -%}
        {%- do tables.append(work_table(next,
            "with renamed as (select coalesce(x.name, keyed.a) as a, coalesce(y.name, keyed.b) as b, keyed.evidence_number, keyed.component"
            ~ " from " ~ prefix ~ "keyed as keyed left join " ~ prefix ~ "named as x on keyed.is_late and keyed.node_a = x.node"
            ~ " left join " ~ prefix ~ "named as y on keyed.is_late and keyed.node_b = y.node)"
            ~ " select component, least(a, b) as a, greatest(a, b) as b, evidence_number from renamed where a <> b")) -%}
        {%- set state.pass = state.pass + 1 -%}
        {%- set spans.length = half -%}
    {%- endfor -%}

    {%- set result = store_rows(
        "select evidence.component, cast(evidence.b - sizes.members_before as bigint) as seniority,"
        ~ " cast(evidence.a - sizes.members_before as bigint) as successor, evidence.evidence_number"
        ~ " from " ~ prefix ~ "evidence_" ~ (state.pass % 2) ~ " as evidence inner join " ~ prefix ~ "sizes as sizes"
        ~ " on evidence.component = sizes.component") -%}
    {%- do drop_work_tables(tables) -%}
    {{ return(result) }}
{% endmaterialization %}
