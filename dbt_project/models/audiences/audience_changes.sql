{{ config(materialized="incremental", incremental_strategy=append_strategy(), full_refresh=false, on_schema_change="append_new_columns") }}
-- The log of enters and exits, appended to by each run and never rewritten. A run as of the past adds
-- nothing.
with
    listed as (select * from {{ ref("int_audiences_listed") }}),

    logged as (
        {% if is_incremental() -%}select * from {{ this }}
        {%- else -%}
            select
                cast(null as {{ dbt.type_string() }}) as audience,
                cast(null as {{ dbt.type_string() }}) as profile_id,
                cast(null as {{ dbt.type_string() }}) as change_type,
                cast(null as {{ dbt.type_string() }}) as definition_hash,
                cast(null as {{ dbt.type_string() }}) as arm,
                cast(0 as bigint) as change_number,
                cast(null as {{ dbt.type_timestamp() }}) as changed_at
            limit 0
        {%- endif %}
    ),

    latest as (
        select
            audience,
            profile_id,
            {{ last_by("change_type", ["change_number"]) }} as change_type,
            {{ last_by("definition_hash", ["change_number"]) }} as definition_hash,
            {{ last_by("arm", ["change_number"]) }} as arm,
            max(change_number) as change_number
        from logged
        group by audience, profile_id
    ),

    merges as (select profile_id, canonical_profile_id from {{ ref("profile_merges") }}),

    -- The arm goes along when an id merges; held out under one of several ids is held out.
    former_arms as (
        select latest.audience, merges.canonical_profile_id as profile_id, min(latest.arm) as arm
        from latest
        inner join merges on latest.profile_id = merges.profile_id
        group by latest.audience, merges.canonical_profile_id
    ),

    enters as (
        select
            listed.audience,
            listed.profile_id,
            'enter' as change_type,
            'qualified' as reason,
            listed.definition_hash,
            -- Who was once held out of an audience stays held out of it.
            coalesce(latest.arm, former_arms.arm, listed.arm) as arm,
            coalesce(latest.change_number, 0) + 1 as change_number
        from listed
        left join latest on listed.audience = latest.audience and listed.profile_id = latest.profile_id
        left join
            former_arms
            on listed.audience = former_arms.audience
            and listed.profile_id = former_arms.profile_id
        where coalesce(latest.change_type, 'exit') = 'exit'
    ),

    exits as (
        select
            latest.audience,
            latest.profile_id,
            'exit' as change_type,
            case when merges.profile_id is not null then 'merged' else 'no longer qualified' end as reason,
            latest.definition_hash,
            latest.arm,
            latest.change_number + 1 as change_number
        from latest
        left join listed on latest.audience = listed.audience and latest.profile_id = listed.profile_id
        left join merges on latest.profile_id = merges.profile_id
        where latest.change_type = 'enter' and listed.profile_id is null
    ),

    changes as (
        select *
        from enters
        union all
        select *
        from exits
    ),

    newest as (select max(changed_at) as changed_at from logged)

select
    changes.audience,
    changes.profile_id,
    changes.change_type,
    changes.reason,
    changes.definition_hash,
    changes.arm,
    cast(changes.change_number as bigint) as change_number,
    {{ as_of() }} as changed_at
from changes
cross join newest
where newest.changed_at is null or newest.changed_at <= {{ as_of() }}
