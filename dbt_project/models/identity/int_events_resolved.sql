-- An event belongs to the profile that holds its own strongest identifier; to nobody where that
-- identifier is shared.
with
    events as (select event_id, user_id, email, phone, anonymous_id from {{ ref("events") }}),

    collected as (select * from {{ ref("int_identifiers_collected") }}),

    identifiers as (select * from {{ ref("profile_identifiers") }}),

    strongest as (
        select
            delivered_user_id,
            delivered_email,
            delivered_phone,
            delivered_anonymous_id,
            case
                {% for type in config_identity().identifiers -%}
                    when {{ type }} is not null then '{{ type }}'
                {% endfor -%}
            end as identifier_type,
            coalesce({{ config_identity().identifiers | join(", ") }}) as identifier_value
        from collected
    ),

    resolved as (
        select strongest.*, identifiers.profile_id
        from strongest
        inner join
            identifiers
            on strongest.identifier_type = identifiers.identifier_type
            and strongest.identifier_value = identifiers.identifier_value
    )

select events.event_id, resolved.profile_id
from events
left join
    resolved
    on coalesce(events.user_id, '') = coalesce(resolved.delivered_user_id, '')
    and coalesce(events.email, '') = coalesce(resolved.delivered_email, '')
    and coalesce(events.phone, '') = coalesce(resolved.delivered_phone, '')
    and coalesce(events.anonymous_id, '') = coalesce(resolved.delivered_anonymous_id, '')
