-- What each sync would have its destination hold: members of its audience that are not held out, with the
-- consent that allows it. A member without that consent, or without the identifier the destination needs,
-- is held, and says why.
with
    members as (select * from {{ ref("audience_members") }} where exited_at is null and arm = 'treatment'),

    people as (select * from {{ ref("people") }}),

    consents as (select * from {{ ref("consent_states") }}),

    {% for sync in config_syncs() -%}
        {{ sync.name }} as (
            select
                '{{ sync.name }}' as sync_id,
                members.profile_id as record_key,
                {{ json_object(sync_payload(sync["columns"])) }} as payload,
                '{{ sync.purpose }}' as purpose,
                consents.state as consent_state,
                consents.event_id as consent_event_id,
                consents.recorded_at as consent_recorded_at,
                people.{{ sync["columns"][0] }} is null as is_unreachable
            from members
            inner join people on members.profile_id = people.profile_id
            left join
                consents
                on members.profile_id = consents.profile_id
                and consents.purpose = '{{ sync.purpose }}'
            where members.audience = '{{ sync.audience }}'
        ),

    {% endfor -%}
    records as (
        {% for sync in config_syncs() -%}select * from {{ sync.name }} {{ "union all" if not loop.last }}
        {% else -%}
            select
                cast(null as {{ dbt.type_string() }}) as sync_id,
                cast(null as {{ dbt.type_string() }}) as record_key,
                cast(null as {{ dbt.type_string() }}) as payload,
                cast(null as {{ dbt.type_string() }}) as purpose,
                cast(null as {{ dbt.type_string() }}) as consent_state,
                cast(null as {{ dbt.type_string() }}) as consent_event_id,
                cast(null as {{ dbt.type_timestamp() }}) as consent_recorded_at,
                cast(null as boolean) as is_unreachable
            limit 0
        {% endfor %}
    )

select
    sync_id,
    record_key,
    payload,
    {{ text_hash("payload") }} as payload_hash,
    case
        when consent_state = 'granted' then purpose || ' granted by event ' || consent_event_id
    end as consent_basis,
    case
        when coalesce(consent_state, 'unknown') <> 'granted'
        then 'consent for ' || purpose || ' is ' || coalesce(consent_state, 'unknown')
        when is_unreachable
        then 'no identifier for the destination'
    end as hold_reason,
    consent_recorded_at
from records
