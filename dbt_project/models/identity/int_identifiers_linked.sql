{{ config(materialized="increment", meta={"key": ["node_a", "node_b"]}) }}
-- Evidence: every pair of identifiers that occurred on one event (a is the stronger; of one type, the
-- smaller node). An identifier seen with more than the sharing limit of stronger identifiers (a kiosk, a
-- support desk's address) says nothing about who is who: its evidence is refused.
{%- set columns, pairs = config_identity().columns, [] %}
{%- for x in columns %}
    {%- for y in columns[loop.index :] %} {%- do pairs.append((x, y)) %} {%- endfor %}
{%- endfor %}
{%- set is_increment = is_increment("int_identifiers_collected") %}
with
    collected as (
        select *
        from {{ ref("int_identifiers_collected") }}
        {% if is_increment -%}
            where run_number = (select max(run_number) from {{ ref("int_files_counted") }})
        {%- endif %}
    ),

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
                {{ "new_event_count" if is_increment else "event_count" }} as event_count,
                first_event_id,
                first_received_at,
                first_occurred_at,
                last_occurred_at
            from collected
            where {{ x.name }} is not null and {{ y.name }} is not null {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    {% if is_increment -%}
        known as (select * from {{ this }}),

        repeated as (
            select known.*
            from known
            inner join
                (select distinct node_a, node_b from pairs) as seen
                on known.node_a = seen.node_a
                and known.node_b = seen.node_b
        ),
    {% endif -%}

    seen as (
        select *
        from pairs
        {% if is_increment -%}
            union all
            select
                node_a,
                node_b,
                priority_a,
                priority_b,
                case when is_alias then 1 else 0 end,
                event_count,
                first_event_id,
                first_received_at,
                first_seen_at,
                last_seen_at
            from repeated
        {%- endif %}
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
        from seen
        group by node_a, node_b, priority_a, priority_b
    ),

    {% if is_increment -%}
        -- Evidence only grows, so what is shared stays shared. What becomes shared refuses all its evidence.
        seen_with as (
            select node_a, node_b
            from links
            where priority_a < priority_b
            union all
            select known.node_a, known.node_b
            from known
            left join links on known.node_a = links.node_a and known.node_b = links.node_b
            where
                known.priority_a < known.priority_b
                and known.node_b in (select node_b from links)
                and links.node_a is null
        ),

        shared_before as (
            select node_a as node
            from known
            where is_shared_a
            union all
            select node_b
            from known
            where is_shared_b
        ),

        shared_now as (
            select node_b as node
            from seen_with
            group by node_b
            having count(*) > {{ config_identity().sharing_limit }}
        ),

        shared_sides as (
            select node
            from shared_before
            union all
            select node
            from shared_now
        ),

        shared as (select distinct node from shared_sides),

        become_shared as (select node from shared_now where node not in (select node from shared_before)),

        -- The rest of its evidence, which no new event showed.
        refused as (
            select known.*
            from known
            left join links on known.node_a = links.node_a and known.node_b = links.node_b
            where
                (
                    known.node_a in (select node from become_shared)
                    or known.node_b in (select node from become_shared)
                )
                and links.node_a is null
        ),

        changed as (
            select
                node_a,
                node_b,
                first_event_id,
                priority_a,
                priority_b,
                event_count,
                is_alias,
                first_seen_at,
                last_seen_at,
                first_received_at
            from links
            union all
            select
                node_a,
                node_b,
                first_event_id,
                priority_a,
                priority_b,
                event_count,
                case when is_alias then 1 else 0 end,
                first_seen_at,
                last_seen_at,
                first_received_at
            from refused
        )
    {%- else -%}
        shared as (
            select node_b as node
            from links
            where priority_a < priority_b
            group by node_b
            having count(*) > {{ config_identity().sharing_limit }}
        ),

        changed as (select * from links)
    {%- endif %}

select
    changed.node_a,
    changed.node_b,
    changed.first_event_id,
    changed.priority_a,
    changed.priority_b,
    cast(changed.event_count as bigint) as event_count,
    changed.is_alias = 1 as is_alias,
    shared_a.node is not null as is_shared_a,
    shared_b.node is not null as is_shared_b,
    changed.first_seen_at,
    changed.last_seen_at,
    changed.first_received_at
from changed
left join shared as shared_a on changed.node_a = shared_a.node
left join shared as shared_b on changed.node_b = shared_b.node
