{{ config(materialized="incremental", incremental_strategy=append_strategy(), full_refresh=false, on_schema_change="append_new_columns") }}
-- The log of who held an identifier as of each run, appended to and never rewritten; history as it was
-- published, not as today's evidence tells it. A run as of the past adds nothing.
with
    identifiers as (select identifier_id, profile_id from {{ ref("profile_identifiers") }}),

    logged as (
        {% if is_incremental() -%}select * from {{ this }}
        {%- else -%}
            select
                cast(null as {{ dbt.type_string() }}) as identifier_id,
                cast(null as {{ dbt.type_string() }}) as profile_id,
                cast(null as {{ dbt.type_timestamp() }}) as changed_at
            limit 0
        {%- endif %}
    ),

    newest as (select max(changed_at) as changed_at from logged),

    last_changes as (select identifier_id, max(changed_at) as changed_at from logged group by identifier_id),

    former as (
        select logged.identifier_id, logged.profile_id
        from logged
        inner join
            last_changes
            on logged.identifier_id = last_changes.identifier_id
            and logged.changed_at = last_changes.changed_at
    ),

    compared as (
        select
            coalesce(identifiers.identifier_id, former.identifier_id) as identifier_id,
            identifiers.profile_id,
            former.profile_id as former_profile_id,
            former.identifier_id is null as is_new
        from identifiers
        full outer join former on identifiers.identifier_id = former.identifier_id
    ),

    -- A merge takes everybody along. A founder that leaves somebody behind has moved.
    left_behind as (
        select distinct founders.identifier_id
        from compared as founders
        inner join
            compared as members
            on founders.identifier_id = members.former_profile_id
            and founders.identifier_id <> members.identifier_id
        where
            founders.identifier_id = founders.former_profile_id
            and members.profile_id is not null
            and coalesce(founders.profile_id, '') <> members.profile_id
    )

select
    compared.identifier_id,
    compared.profile_id,
    compared.former_profile_id,
    left_behind.identifier_id is not null as is_founder_moved,
    {{ as_of() }} as changed_at
from compared
left join left_behind on compared.identifier_id = left_behind.identifier_id
cross join newest
where
    (newest.changed_at is null or newest.changed_at < {{ as_of() }})
    and (
        compared.is_new
        or coalesce(compared.profile_id, '') <> coalesce(compared.former_profile_id, '')
        or left_behind.identifier_id is not null
    )
