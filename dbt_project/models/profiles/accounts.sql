-- An account's traits are those of its last group call; one that was only named elsewhere has none.
with
    events as (select * from {{ ref("profile_events") }} where group_id is not null),

    described as (
        select
            group_id,
            {% for trait in ["name", "industry", "plan"] -%}
                {{ last_by("nullif(trim(" ~ json_text("traits", [trait]) ~ "), '')", ["occurred_at", "event_id"]) }}
                as {{ trait }},
            {% endfor -%}
            {{ last_by("traits", ["occurred_at", "event_id"]) }} as traits
        from events
        where type = 'group'
        group by group_id
    ),

    seen as (
        select
            group_id,
            count(*) as event_count,
            count(distinct profile_id) as member_count,
            min(occurred_at) as first_seen_at,
            max(occurred_at) as last_seen_at
        from events
        group by group_id
    )

select
    seen.group_id as account_id,
    described.name,
    described.industry,
    described.plan,
    described.traits,
    seen.event_count,
    seen.member_count,
    seen.first_seen_at,
    seen.last_seen_at
from seen
left join described on seen.group_id = described.group_id
