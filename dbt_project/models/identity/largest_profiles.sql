-- Where an over-merge would show first: the hundred profiles with the most identifiers.
with
    identifiers as (select * from {{ ref("profile_identifiers") }} where profile_id is not null),

    sized as (
        select
            profile_id,
            count(*) as identifier_count,
            sum(case when identifier_type = 'anonymous_id' then 0 else 1 end) as known_count,
            sum(event_count) as event_count,
            min(first_seen_at) as first_seen_at,
            max(last_seen_at) as last_seen_at
        from identifiers
        group by profile_id
    ),

    largest as (select * from sized order by identifier_count desc nulls last, profile_id limit 100),

    placed as (
        select largest.profile_id, count(*) as place
        from largest
        inner join
            largest as larger
            on larger.identifier_count > largest.identifier_count
            or (
                larger.identifier_count = largest.identifier_count and larger.profile_id <= largest.profile_id
            )
        group by largest.profile_id
    )

select
    largest.profile_id,
    placed.place,
    largest.identifier_count,
    cast(largest.known_count as bigint) as known_count,
    cast(largest.event_count as bigint) as event_count,
    largest.first_seen_at,
    largest.last_seen_at
from largest
inner join placed on largest.profile_id = placed.profile_id
