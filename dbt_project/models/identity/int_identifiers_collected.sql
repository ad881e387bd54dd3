-- Distinct first, normalise after: events repeat the same few identifiers thousands of times. A blocked
-- value (`null`, zeros, a test address) becomes null here, so it can join nobody and found no profile.
with
    events as (select * from {{ ref("events") }}),

    phone_numbers as (
        select phone, phone_e164
        from {{ source("raw", "phone_numbers") }}
        where region = '{{ config_identity().default_region }}'
    ),

    delivered as (
        select
            user_id,
            email,
            phone,
            anonymous_id,
            min(occurred_at) as first_occurred_at,
            max(occurred_at) as last_occurred_at,
            min(received_at) as first_received_at,
            {{ first_by("event_id", ["received_at", "event_id"]) }} as first_event_id,
            count(*) as event_count
        from events
        group by user_id, email, phone, anonymous_id
    ),

    normalised as (
        select
            delivered.user_id as delivered_user_id,
            delivered.email as delivered_email,
            delivered.phone as delivered_phone,
            delivered.anonymous_id as delivered_anonymous_id,
            trim(delivered.user_id) as user_id,
            lower(trim(delivered.email)) as email,
            phone_numbers.phone_e164 as phone,
            trim(delivered.anonymous_id) as anonymous_id,
            delivered.first_event_id,
            delivered.event_count,
            delivered.first_occurred_at,
            delivered.last_occurred_at,
            delivered.first_received_at
        from delivered
        left join phone_numbers on delivered.phone = phone_numbers.phone
    )

select
    delivered_user_id,
    delivered_email,
    delivered_phone,
    delivered_anonymous_id,
    {% for type in config_identity().identifiers -%}
        case when {{ is_blocked_identifier(type, type) }} then null else {{ type }} end as {{ type }},
    {% endfor -%}
    first_event_id,
    event_count,
    first_occurred_at,
    last_occurred_at,
    first_received_at
from normalised
