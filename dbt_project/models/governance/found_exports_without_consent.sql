-- Nothing is planned to leave without a granted consent for the sync's purpose: checked against the
-- consent itself, not the plan.
with
    purposes as (
        {% for sync in config_syncs() -%}
            select
                '{{ sync.name }}' as sync_id,
                '{{ sync.purpose }}' as purpose
                {{ "union all" if not loop.last }}
        {% else -%}
            select
                cast(null as {{ dbt.type_string() }}) as sync_id,
                cast(null as {{ dbt.type_string() }}) as purpose
            limit 0
        {% endfor %}
    ),

    leaving as (
        select * from {{ ref("sync_plan") }} where status = 'planned' and op_type in ('added', 'changed')
    )

select leaving.sync_id, leaving.record_key, purposes.purpose, consents.state
from leaving
left join purposes on leaving.sync_id = purposes.sync_id
left join
    {{ ref("consent_states") }} as consents
    on leaving.record_key = consents.profile_id
    and purposes.purpose = consents.purpose
where coalesce(consents.state, 'unknown') <> 'granted' or leaving.consent_basis is null
