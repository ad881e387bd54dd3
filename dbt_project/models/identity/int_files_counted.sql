-- What has to be collected: a file is new if nothing of it was collected yet. If the events of a file that
-- was are not those they were (an earlier copy came, the plan or the as-of time is another, somebody was
-- erased), if the settings or a blocked value changed, or if the last run did not end, then all files are
-- new and no table has a former state.
-- A landed file never changes, so it only loses events (the count tells), unless the as-of time moved past
-- some of them. The rows of a landed table do change; a sum of their times is kept.
{%- set former_state = former_state() %}
{%- set columns = adapter.get_columns_in_relation(this) | map(attribute="name") | list if former_state else [] %}
{%- set former_as_of = scalar("select max(as_of) from " ~ this) if "as_of" in columns else none %}
with
    overrides as (select * from {{ ref("int_overrides_read") }}),

    counted as (
        select file_id, count(*) as event_count from {{ ref("int_events_accepted") }} group by file_id
    ),

    tables as (
        select
            file_id,
            cast(
                sum({{ seconds_between("cast('2000-01-01' as timestamp)", "received_at") }}) as bigint
            ) as received_seconds
        from {{ ref("int_events_accepted") }}
        where file_id like 'table %'
        group by file_id
    ),

    come_into_view as (
        select distinct file_id
        from {{ ref("int_events_accepted") }}
        {% if former_as_of -%} where received_at > cast('{{ former_as_of }}' as {{ dbt.type_timestamp() }})
        {%- else -%} where 1 = 0
        {%- endif %}
    ),

    files as (
        select
            counted.file_id,
            counted.event_count,
            coalesce(tables.received_seconds, 0) as received_seconds,
            come_into_view.file_id is not null as has_come_into_view
        from counted
        left join tables on counted.file_id = tables.file_id
        left join come_into_view on counted.file_id = come_into_view.file_id
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

    listed as (
        select {{ list_text("concat(file_id, ' ', event_count, ' ', received_seconds)") }} as files from files
    ),

    stated as (
        select
            ruled.rules,
            {{ text_hash("concat(ruled.rules, ' ', coalesce(reviewed.lines, ''), ' ', listed.files, ' ', " ~ timestamp_text(as_of()) ~ ")") }}
            as state
        from ruled
        cross join reviewed
        cross join listed
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
            and not files.has_come_into_view
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
    compared.files > compared.unchanged_files or unchanged.file_id is null as is_new,
    {{ as_of() }} as as_of
from files
cross join stated
cross join compared
left join unchanged on files.file_id = unchanged.file_id
