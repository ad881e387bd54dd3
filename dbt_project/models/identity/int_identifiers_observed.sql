-- `node` is a number made from the hash: joins on it cost a third of joins on text. It is used inside
-- this stage only.
with
    collected as (select * from {{ ref("int_identifiers_collected") }}),

    workspace as (select salt from {{ source("raw", "workspace") }}),

    identifiers as (
        {%- for type in config_identity().identifiers %}
            select
                '{{ type }}' as identifier_type,
                {{ loop.index }} as priority,
                {{ type }} as identifier_value,
                event_count,
                first_event_id,
                first_occurred_at,
                last_occurred_at,
                first_received_at
            from collected
            where {{ type }} is not null {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    aggregated as (
        select
            identifier_type,
            priority,
            identifier_value,
            sum(event_count) as event_count,
            {{ first_by("first_event_id", ["first_received_at", "first_event_id"]) }} as first_event_id,
            min(first_received_at) as first_received_at,
            min(first_occurred_at) as first_seen_at,
            max(last_occurred_at) as last_seen_at
        from identifiers
        group by identifier_type, priority, identifier_value
    ),

    keyed as (
        select
            aggregated.*,
            {{ text_hash("concat(workspace.salt, '|', aggregated.identifier_type, '|', aggregated.identifier_value)") }}
            as identifier_id
        from aggregated
        cross join workspace
    )

select
    identifier_id,
    {{ hash_integer("identifier_id") }} as node,
    identifier_type,
    identifier_value,
    first_event_id,
    priority,
    cast(event_count as bigint) as event_count,
    first_seen_at,
    last_seen_at,
    first_received_at
from keyed
