-- Evidence: every pair of identifiers that occurred on one event (a is the stronger; of one type, the
-- smaller node). An identifier seen with more than the sharing limit of stronger identifiers (a kiosk, a
-- support desk's address) says nothing about who is who: its evidence is refused.
{%- set columns, pairs = config_identity().columns, [] %}
{%- for x in columns %}
    {%- for y in columns[loop.index :] %} {%- do pairs.append((x, y)) %} {%- endfor %}
{%- endfor %}
with
    collected as (select * from {{ ref("int_identifiers_collected") }}),

    pairs as (
        {%- for x, y in pairs %}
            select
                {% if x.type == y.type -%}
                    least({{ x.name }}_node, {{ y.name }}_node) as node_a,
                    greatest({{ x.name }}_node, {{ y.name }}_node) as node_b,
                {% else -%} {{ x.name }}_node as node_a, {{ y.name }}_node as node_b,
                {% endif -%}
                {{ x.priority }} as priority_a,
                {{ y.priority }} as priority_b,
                {{ 1 if y.name == "previous_id" and x.name == "user_id" else 0 }} as is_alias,
                event_count,
                first_event_id,
                first_received_at,
                first_occurred_at,
                last_occurred_at
            from collected
            where {{ x.name }} is not null and {{ y.name }} is not null {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    links as (
        select
            node_a,
            node_b,
            priority_a,
            priority_b,
            max(is_alias) as is_alias,
            sum(event_count) as event_count,
            {{ first_by("first_event_id", ["first_received_at", "first_event_id"]) }} as first_event_id,
            min(first_received_at) as first_received_at,
            min(first_occurred_at) as first_seen_at,
            max(last_occurred_at) as last_seen_at
        from pairs
        group by node_a, node_b, priority_a, priority_b
    ),

    shared as (
        select node_b as node
        from links
        where priority_a < priority_b
        group by node_b
        having count(*) > {{ config_identity().sharing_limit }}
    )

select
    links.node_a,
    links.node_b,
    links.first_event_id,
    links.priority_a,
    links.priority_b,
    cast(links.event_count as bigint) as event_count,
    links.is_alias = 1 as is_alias,
    shared_a.node is not null as is_shared_a,
    shared_b.node is not null as is_shared_b,
    links.first_seen_at,
    links.last_seen_at,
    links.first_received_at
from links
left join shared as shared_a on links.node_a = shared_a.node
left join shared as shared_b on links.node_b = shared_b.node
