-- The health of identity, a number a row. Shares are of one: 0.25 is a quarter.
with
    identifiers as (select * from {{ ref("profile_identifiers") }}),

    profiles as (
        select
            profile_id,
            count(*) as identifier_count,
            max(case when identifier_type <> 'anonymous_id' then 1 else 0 end) as is_known
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
