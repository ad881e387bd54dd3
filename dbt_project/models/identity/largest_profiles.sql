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

    numbered as (
        select sized.*, row_number() over (order by identifier_count desc, profile_id) as place from sized
    )

select
    profile_id,
    cast(place as bigint) as place,
    identifier_count,
    cast(known_count as bigint) as known_count,
    cast(event_count as bigint) as event_count,
    first_seen_at,
    last_seen_at
from numbered
where place <= 100
