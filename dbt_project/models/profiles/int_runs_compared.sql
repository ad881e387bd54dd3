-- Whether visits' and orders' properties and the traits may be added to, one row: identity could be, nothing
-- that they follow from besides is another, and the former run was as of an earlier time, or the same.
-- depends_on: {{ ref("int_events_resolved") }}
{%- set former_state = former_state() %}
with
    files as (
        select coalesce(min(state), '') as state, min(former_state) as former_state
        from {{ ref("int_files_counted") }}
    ),

    channels as (
        select {{ text_hash(list_text("concat(source, ' ', category)")) }} as sources
        from {{ ref("channel_sources") }}
    ),

    stated as (
        select
            concat('{{ traits_definition() }}', ' ', coalesce(channels.sources, '')) as definition,
            files.state as files_state,
            files.former_state as former_files_state
        from files
        cross join channels
    ),

    former as (
        {% if former_state -%}select definition, files_state, as_of from {{ this }}
        {%- else -%}
            select
                cast(null as {{ dbt.type_string() }}) as definition,
                cast(null as {{ dbt.type_string() }}) as files_state,
                cast(null as {{ dbt.type_timestamp() }}) as as_of
            limit 0
        {%- endif %}
    )

select
    stated.definition,
    stated.files_state,
    {{ text_hash("concat(stated.definition, ' ', stated.files_state, ' ', " ~ timestamp_text(as_of()) ~ ")") }}
    as state,
    case when former.as_of is not null then '{{ former_state or "" }}' end as former_state,
    {{ as_of() }} as as_of,
    former.as_of as former_as_of
from stated
left join
    former
    on stated.definition = former.definition
    and stated.former_files_state = former.files_state
    and former.as_of <= {{ as_of() }}
