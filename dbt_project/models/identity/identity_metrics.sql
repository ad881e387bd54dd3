-- The health of identity, a number a row. Shares are of one: 0.25 is a quarter. Known is who has a login, an
-- e-mail or a phone, as in profiles.profiles; a device's id makes nobody known.
with
    identifiers as (select * from {{ ref("profile_identifiers") }}),

    profiles as (
        select
            profile_id,
            count(*) as identifier_count,
            max(case when identifier_type in ('user_id', 'email', 'phone') then 1 else 0 end) as is_known
        from identifiers
        where profile_id is not null
        group by profile_id
    ),

    sized as (
        select
            is_known,
            case
                when identifier_count = 1
                then '1'
                when identifier_count <= 3
                then '2-3'
                when identifier_count <= 10
                then '4-10'
                when identifier_count <= 30
                then '11-30'
                else 'over 30'
            end as size
        from profiles
    ),

    overrides as (select * from {{ ref("int_overrides_read") }}),

    named as (
        select identifier_value_a as identifier_value
        from overrides
        union all
        select identifier_value_b
        from overrides
    ),

    known_values as (
        select identifier_type, identifier_value, profile_id
        from identifiers
        where identifier_value in (select identifier_value from named where identifier_value is not null)
    ),

    -- A misspelt line is about somebody who was never seen: it does nothing, and nothing else says so.
    reviewed as (
        select
            case
                when overrides.action = 'block'
                then 'blocks'
                when x.identifier_type is null or y.identifier_type is null
                then 'without effect: never seen'
                when overrides.action = 'include' and (x.profile_id is null or y.profile_id is null)
                then 'without effect: shared'
                when overrides.action = 'include'
                then 'joins'
                else 'keeps apart'
            end as effect
        from overrides
        left join
            known_values as x
            on overrides.identifier_type_a = x.identifier_type
            and overrides.identifier_value_a = x.identifier_value
        left join
            known_values as y
            on overrides.identifier_type_b = y.identifier_type
            and overrides.identifier_value_b = y.identifier_value
    ),

    counted as (
        select
            'profiles' as metric,
            case when is_known = 1 then 'known' else 'anonymous' end as dimension,
            count(*) as value
        from profiles
        group by is_known
        union all
        select 'profiles by identifiers', size, count(*)
        from sized
        group by size
        union all
        select 'identifiers', identifier_type, count(*)
        from identifiers
        group by identifier_type
        union all
        select 'shared identifiers', identifier_type, count(*)
        from identifiers
        where profile_id is null
        group by identifier_type
        union all
        select 'refused evidence', reason, count(*)
        from {{ ref("identity_links") }}
        where status = 'refused'
        group by reason
        union all
        select 'reviewed lines', effect, count(*)
        from reviewed
        group by effect
        union all
        select 'merges by day', cast({{ local_date("merged_at") }} as {{ dbt.type_string() }}), count(*)
        from {{ ref("profile_merges") }}
        group by 2
        union all
        select 'largest profile', 'identifiers', coalesce(max(identifier_count), 0)
        from profiles
    ),

    -- Stitched: a device whose person is known.
    stitched as (
        select sum(case when profiles.is_known = 1 then 1 else 0 end) as stitched, count(*) as devices
        from identifiers
        left join profiles on identifiers.profile_id = profiles.profile_id
        where identifiers.identifier_type = 'anonymous_id'
    )

select metric, dimension, cast(value as {{ type_double() }}) as value
from counted
union all
select 'stitch rate', 'anonymous_id', cast(stitched as {{ type_double() }}) / devices
from stitched
where devices > 0
