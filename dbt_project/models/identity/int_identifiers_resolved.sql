{{ config(materialized="increment", meta={"touched": "node"}) }}
-- The group that holds each identifier (null where it is shared), and the profile it is. A profile is named
-- after its first-seen identifier, so its id needs no memory: every rebuild finds the same one, and an id
-- that was ever published is some identifier's id and resolves to whoever holds that identifier now.
-- `run_number` is the last run that gave it another profile (0: a whole one).
{%- set is_increment = is_increment("int_identifiers_touched") %}
{%- set observed = ref("int_identifiers_touched") if is_increment else ref("int_identifiers_observed") %}
with
    observed as (select * from {{ observed }}),

    grouped as (
        select * from {{ ref("int_identifiers_grouped") }} {{ where_touched(is_increment, ["node"]) }}
    ),

    included as (select * from {{ ref("int_identifiers_included") }}),

    united as (select * from {{ ref("int_identifiers_united") }} {{ where_touched(is_increment, ["node"]) }}),

    broken as (select distinct component from {{ ref("int_rules_broken") }}),

    shared as (select node from {{ ref("int_identifiers_shared") }}),

    held as (
        select
            observed.node,
            case
                when shared.node is not null
                then null
                when broken.component is not null
                then coalesce(united.component, included.component, observed.node)
                else coalesce(grouped.component, observed.node)
            end as component,
            observed.first_received_at
        from observed
        left join grouped on observed.node = grouped.node
        left join broken on grouped.component = broken.component
        left join included on observed.node = included.node
        left join united on coalesce(included.component, observed.node) = united.node
        left join shared on observed.node = shared.node
    ),

    -- Times first, texts after: few identifiers of a profile came first.
    firsts as (
        select component, min(first_received_at) as first_received_at
        from held
        where component is not null
        group by component
    ),

    founders as (
        select
            held.component,
            {{ first_by("observed.identifier_id", ["observed.first_event_id", "observed.priority", "observed.identifier_value", "observed.identifier_id"]) }}
            as profile_id
        from held
        inner join
            firsts on held.component = firsts.component and held.first_received_at = firsts.first_received_at
        inner join {{ observed }} as observed on held.node = observed.node
        group by held.component
    )
{%- if is_increment -%}
        ,

        former as (
            select node, profile_id, run_number from {{ this }} where node in (select node from observed)
        ),

        runs as (select max(run_number) as run_number from {{ ref("int_files_counted") }})

    select
        held.node,
        founders.profile_id,
        held.component,
        case
            when former.node is null or coalesce(former.profile_id, '') <> coalesce(founders.profile_id, '')
            then runs.run_number
            else former.run_number
        end as run_number
    from held
    cross join runs
    left join founders on held.component = founders.component
    left join former on held.node = former.node
{%- else %}

    select held.node, founders.profile_id, held.component, cast(0 as bigint) as run_number
    from held
    left join founders on held.component = founders.component
{%- endif %}
