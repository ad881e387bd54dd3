{{ config(materialized="increment", meta={"key": ["node_a", "node_b"], "events_only": true}) }}
-- Evidence: every pair of identifiers that occurred on one event (a is the stronger; of one type, the
-- smaller node). `run_number` is the last run whose events it was on (0: a whole one).
{%- set columns, pairs = config_identity().columns, [] %}
{%- for x in columns %}
    {%- for y in columns[loop.index :] %} {%- do pairs.append((x, y)) %} {%- endfor %}
{%- endfor %}
{%- set is_increment = is_increment("int_identifiers_collected") %}
with
    collected as (select * from {{ ref("int_identifiers_collected") }} {{ where_new(is_increment) }}),

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
                run_number,
                first_received_at,
                first_occurred_at,
                last_occurred_at
            from collected
            where {{ x.name }} is not null and {{ y.name }} is not null {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    {% if is_increment -%}
        known as (
            select former.*
            from {{ this }} as former
            inner join
                (select distinct node_a, node_b from pairs) as seen
                on former.node_a = seen.node_a
                and former.node_b = seen.node_b
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
                run_number,
                first_received_at,
                first_seen_at,
                last_seen_at
            from known
        {%- endif %}
    )

select
    node_a,
    node_b,
    {{ first_by("first_event_id", ["first_received_at", "first_event_id"]) }} as first_event_id,
    priority_a,
    priority_b,
    cast(sum(event_count) as bigint) as event_count,
    max(run_number) as run_number,
    max(is_alias) = 1 as is_alias,
    min(first_occurred_at) as first_seen_at,
    max(last_occurred_at) as last_seen_at,
    min(first_received_at) as first_received_at
from seen
group by node_a, node_b, priority_a, priority_b
