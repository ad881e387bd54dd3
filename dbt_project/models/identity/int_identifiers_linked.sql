-- Evidence: every pair of identifiers that occurred on one event. An identifier seen with more than the
-- sharing limit of stronger identifiers (a kiosk, a support desk's address) says nothing about who is
-- who: its evidence is refused.
with
    collected as (select * from {{ ref("int_identifiers_collected") }}),

    observed as (select * from {{ ref("int_identifiers_observed") }}),

    pairs as (
        {%- set types = config_identity().identifiers %}
        {%- set written = [] %}
        {%- for stronger in types %}
            {%- for weaker in types[loop.index :] %}
                {{ "union all" if written }}
                select
                    '{{ stronger }}' as identifier_type_a,
                    {{ stronger }} as identifier_value_a,
                    '{{ weaker }}' as identifier_type_b,
                    {{ weaker }} as identifier_value_b,
                    event_count,
                    first_event_id,
                    first_received_at,
                    first_occurred_at,
                    last_occurred_at
                from collected
                where {{ stronger }} is not null and {{ weaker }} is not null {%- do written.append(1) %}
            {%- endfor %}
        {%- endfor %}
    ),

    links as (
        select
            identifier_type_a,
            identifier_value_a,
            identifier_type_b,
            identifier_value_b,
            sum(event_count) as event_count,
            {{ first_by("first_event_id", ["first_received_at", "first_event_id"]) }} as first_event_id,
            min(first_received_at) as first_received_at,
            min(first_occurred_at) as first_seen_at,
            max(last_occurred_at) as last_seen_at
        from pairs
        group by identifier_type_a, identifier_value_a, identifier_type_b, identifier_value_b
    ),

    shared as (
        select identifier_type_b as identifier_type, identifier_value_b as identifier_value
        from links
        group by identifier_type_b, identifier_value_b
        having count(*) > {{ config_identity().sharing_limit }}
    )

select
    links.identifier_type_a,
    links.identifier_value_a,
    links.identifier_type_b,
    links.identifier_value_b,
    links.first_event_id,
    stronger.node as node_a,
    weaker.node as node_b,
    cast(links.event_count as bigint) as event_count,
    shared_a.identifier_value is not null as is_shared_a,
    shared_b.identifier_value is not null as is_shared_b,
    links.first_seen_at,
    links.last_seen_at,
    links.first_received_at
from links
inner join
    observed as stronger
    on links.identifier_type_a = stronger.identifier_type
    and links.identifier_value_a = stronger.identifier_value
inner join
    observed as weaker
    on links.identifier_type_b = weaker.identifier_type
    and links.identifier_value_b = weaker.identifier_value
left join
    shared as shared_a
    on links.identifier_type_a = shared_a.identifier_type
    and links.identifier_value_a = shared_a.identifier_value
left join
    shared as shared_b
    on links.identifier_type_b = shared_b.identifier_type
    and links.identifier_value_b = shared_b.identifier_value
