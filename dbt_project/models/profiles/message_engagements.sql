-- A message counts once for each thing that happened to it, however often it happened.
with
    engagements as (select * from {{ ref("stg_messages__engagements") }}),

    identifiers as (select * from {{ ref("profile_identifiers") }} where profile_id is not null),

    matched as (
        select identifiers.profile_id, engagements.*
        from engagements
        inner join
            identifiers
            on engagements.identifier_type = identifiers.identifier_type
            and engagements.identifier_value = identifiers.identifier_value
    )

select
    profile_id,
    channel,
    {% for event in ["sent", "delivered", "opened", "clicked", "bounced", "unsubscribed", "complained"] -%}
        cast(
            count(distinct case when event = '{{ event }}' then message_id end) as bigint
        ) as {{ event }}_count,
    {% endfor -%}
    min(case when event = 'sent' then occurred_at end) as first_sent_at,
    max(case when event in ('opened', 'clicked') then occurred_at end) as last_engaged_at
from matched
group by profile_id, channel
