{{ config(materialized="increment", meta={"key": ["node"], "events_only": true}) }}
-- One row an identifier. `node` is a quick hash: joins on it cost a third of joins on text. It is used
-- inside this stage only. `run_number` is the last run whose events it was on (0: a whole one).
{%- set is_increment = is_increment("int_identifiers_collected") %}
with
    collected as (select * from {{ ref("int_identifiers_collected") }} {{ where_new(is_increment) }}),

    workspace as (select salt from {{ source("raw", "workspace") }}),

    identifiers as (
        {%- for column in config_identity().columns %}
            select
                {{ column.name }}_node as node,
                {{ column.priority }} as priority,
                {{ column.name }} as identifier_value,
                {{ "new_event_count" if is_increment else "event_count" }} as event_count,
                first_event_id,
                first_occurred_at,
                last_occurred_at,
                first_received_at,
                run_number
            from collected
            where
                {{ column.name }}
                is not null {%- set same = config_identity().columns[: loop.index0] | selectattr("type", "equalto", column.type) | list %}
                {%- for other in same %}
                    and ({{ other.name }} is null or {{ other.name }} <> {{ column.name }})
                {%- endfor %}
                {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    {% if is_increment -%}
        known as (
            select
                node,
                priority,
                identifier_value,
                event_count,
                first_event_id,
                first_seen_at as first_occurred_at,
                last_seen_at as last_occurred_at,
                first_received_at,
                run_number
            from {{ this }}
            where node in (select node from identifiers)
        ),
    {% endif -%}

    seen as (
        select *
        from identifiers
        {% if is_increment -%}
            union all
            select *
            from known
        {%- endif %}
    ),

    aggregated as (
        select
            node,
            priority,
            identifier_value,
            sum(event_count) as event_count,
            {{ first_by("first_event_id", ["first_received_at", "first_event_id"]) }} as first_event_id,
            min(first_received_at) as first_received_at,
            min(first_occurred_at) as first_seen_at,
            max(last_occurred_at) as last_seen_at,
            max(run_number) as run_number
        from seen
        group by node, priority, identifier_value
    ),

    typed as (
        select
            *,
            case
                priority
                {%- for type in config_identity().identifiers %}
                    when {{ type.priority }} then '{{ type.type }}'
                {%- endfor %}
            end as identifier_type
        from aggregated
    ),

    keyed as (
        select
            typed.*,
            {{ text_hash("concat(workspace.salt, '|', typed.identifier_type, '|', typed.identifier_value)") }}
            as identifier_id
        from typed
        cross join workspace
    )

select
    identifier_id,
    node,
    identifier_type,
    identifier_value,
    first_event_id,
    priority,
    cast(event_count as bigint) as event_count,
    run_number,
    first_seen_at,
    last_seen_at,
    first_received_at
from keyed
