-- A person's user id, e-mail and phone are those seen last; the other columns are the golden record's.
with
    identifiers as (select * from {{ ref("profile_identifiers") }} where profile_id is not null),

    held as (
        select
            profile_id,
            {% for type in ["user_id", "email", "phone"] -%}
                {{ last_by("case when identifier_type = '" ~ type ~ "' then identifier_value end", ["last_seen_at", "identifier_value"]) }}
                as {{ type }},
            {% endfor -%}
            min(first_seen_at) as first_seen_at,
            max(last_seen_at) as last_seen_at
        from identifiers
        group by profile_id
    ),

    described as (
        select
            profile_id,
            {% for field in ["first_name", "last_name", "country"] -%}
                max(case when field = '{{ field }}' then value end) as {{ field }}{{ "," if not loop.last }}
            {% endfor %}
        from {{ ref("profile_fields") }}
        group by profile_id
    ),

    event_counts as (
        select profile_id, count(*) as event_count
        from {{ ref("int_events_resolved") }}
        where profile_id is not null
        group by profile_id
    ),

    session_counts as (
        select profile_id, count(*) as session_count from {{ ref("sessions") }} group by profile_id
    )

select
    held.profile_id,
    held.user_id,
    held.email,
    held.phone,
    described.first_name,
    described.last_name,
    described.country,
    cast(coalesce(event_counts.event_count, 0) as bigint) as event_count,
    cast(coalesce(session_counts.session_count, 0) as bigint) as session_count,
    coalesce(held.user_id, held.email, held.phone) is not null as is_known,
    held.first_seen_at,
    held.last_seen_at
from held
left join described on held.profile_id = described.profile_id
left join event_counts on held.profile_id = event_counts.profile_id
left join session_counts on held.profile_id = session_counts.profile_id
