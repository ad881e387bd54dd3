{# Who succeeded whom, all the way. The model's SQL gives ends (identifier_id, successor_id, evidence_number, event_id, merged_at), one a
   name that ended; the table has one row an identifier and successor of it, near or far, with the end that made it so.
   A pass a link of the longest chain; the table is as long as the sum of the chains. #}
{% materialization succession, default %}
    {%- set prefix = work_prefix() -%}
    {%- set ends = work_table(prefix ~ "ends", sql) -%}
    {%- set steps = [] -%}
    {%- set state = namespace(found=scalar("select count(*) from " ~ ends)) -%}
    {%- for pass in range(100000) -%}
        {%- if state.found == 0 -%}{%- break -%}{%- endif -%}
        {%- set step = prefix ~ "step_" ~ pass -%}
        {%- do steps.append(work_table(step, "select identifier_id, successor_id, evidence_number, event_id, merged_at from " ~ ends
            if pass == 0 else
            "select step.identifier_id, ends.successor_id, ends.evidence_number, ends.event_id, ends.merged_at from "
            ~ steps[-1] ~ " as step inner join " ~ ends ~ " as ends on step.successor_id = ends.identifier_id")) -%}
        {%- set state.found = scalar("select count(*) from " ~ step) -%}
    {%- endfor -%}
    {%- set result = store_rows("select * from " ~ (steps or [ends]) | join(" union all select * from ")) -%}
    {%- do drop_work_tables(steps + [ends]) -%}
    {{ return(result) }}
{% endmaterialization %}
