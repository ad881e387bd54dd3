-- What has to be collected: a file is new if nothing of it was collected yet. If the events of a file that
-- was are not those they were (an earlier copy came, the plan or the as-of time is another, somebody was
-- erased), if the settings or a blocked value changed, or if the last run did not end, then all files are
-- new and no table has a former state.
{%- set former_state = former_state() %}
with
    accepted as (select file_id, received_at from {{ ref("int_events_accepted") }}),

    overrides as (select * from {{ ref("int_overrides_read") }}),

    files as (
        select
            file_id,
            count(*) as event_count,
            cast(
                sum({{ seconds_between("cast('2000-01-01' as timestamp)", "received_at") }}) as bigint
            ) as received_seconds
        from accepted
        group by file_id
    ),

    lines as (
        select
            action = 'block' as is_block,
            concat(
                action,
                ' ',
                identifier_type_a,
                ' ',
                identifier_value_a,
                ' ',
                coalesce(identifier_type_b, ''),
                ' ',
                coalesce(identifier_value_b, ''),
                ' ',
                reason
            ) as line
        from overrides
    ),

    blocks as (select {{ list_text("case when is_block then line end") }} as blocks from lines),

    reviewed as (select {{ list_text("line") }} as lines from lines),

    ruled as (
        select {{ text_hash("concat('" ~ identity_definition() ~ "', ' ', coalesce(blocks, ''))") }} as rules
        from blocks
    ),

    summed as (
        select count(*) as files, sum(event_count) as event_count, sum(received_seconds) as received_seconds
        from files
    ),

    stated as (
        select
            ruled.rules,
            {{ text_hash("concat(ruled.rules, ' ', coalesce(reviewed.lines, ''), ' ', summed.files, ' ', summed.event_count, ' ', summed.received_seconds)") }}
            as state
        from ruled
        cross join reviewed
        cross join summed
    ),

    former as (
        {% if former_state -%}select file_id, event_count, received_seconds, run_number, rules from {{ this }}
        {%- else -%}
            select
                cast(null as {{ dbt.type_string() }}) as file_id,
                cast(null as bigint) as event_count,
                cast(null as bigint) as received_seconds,
                cast(null as bigint) as run_number,
                cast(null as {{ dbt.type_string() }}) as rules
            limit 0
        {%- endif %}
    ),

    unchanged as (
        select former.file_id
        from former
        inner join
            files
            on former.file_id = files.file_id
            and former.event_count = files.event_count
            and former.received_seconds = files.received_seconds
        inner join stated on former.rules = stated.rules
    ),

    compared as (
        select
            count(former.file_id) as files,
            count(unchanged.file_id) as unchanged_files,
            coalesce(max(former.run_number), 0) + 1 as run_number
        from former
        left join unchanged on former.file_id = unchanged.file_id
    )

select
    files.file_id,
    stated.rules,
    stated.state,
    case
        when compared.files = compared.unchanged_files and compared.files > 0 then '{{ former_state or "" }}'
    end as former_state,
    files.event_count,
    files.received_seconds,
    compared.run_number,
    compared.files > compared.unchanged_files or unchanged.file_id is null as is_new
from files
cross join stated
cross join compared
left join unchanged on files.file_id = unchanged.file_id
