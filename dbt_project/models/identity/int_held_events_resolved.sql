-- Whose a held message is. Nobody vouches for what it says, so its identifiers are no evidence: they are
-- looked up among those of accepted events, and the strongest that somebody holds decides.
with
    messages as (select * from {{ ref("stg_segment__events") }}),

    held as (select distinct event_id from {{ ref("event_violations") }} where outcome = 'quarantined'),

    phone_numbers as (
        select phone, phone_e164
        from {{ source("raw", "phone_numbers") }}
        where region = '{{ config_identity().default_region }}'
    ),

    named as (
        {%- for column in config_identity().columns %}
            select
                messages.event_id,
                {{ loop.index }} as place,
                '{{ column.type }}' as identifier_type,
                {{ normalised_identifier(column, "messages." ~ column.name, "phone_numbers.phone_e164") }}
                as identifier_value
            from messages
            inner join held on messages.event_id = held.event_id
            {%- if column.normalise == "phone" %}
                inner join phone_numbers on messages.{{ column.name }} = phone_numbers.phone
            {%- endif %}
            where messages.{{ column.name }} is not null {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    holders as (
        select named.event_id, named.place, identifiers.profile_id
        from named
        inner join
            {{ ref("profile_identifiers") }} as identifiers
            on named.identifier_type = identifiers.identifier_type
            and named.identifier_value = identifiers.identifier_value
        where identifiers.profile_id is not null
    )

select event_id, {{ first_by("profile_id", ["place"]) }} as profile_id
from holders
group by event_id
