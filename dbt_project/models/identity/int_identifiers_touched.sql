{{ config(materialized="increment") }}
-- The identifiers of every group that this run's events tell something new about, or a reviewed line: what
-- is resolved anew. An event that repeats what earlier ones said only adds to their counts. All evidence
-- among touched identifiers is theirs, for it lies inside a group, or one of its ends is on a new event. What
-- reviewed lines name is touched as long as they stand, and once more when they are gone. What is known of
-- each is here as well, so that it is looked up once.
{%- set is_increment = is_increment("int_identifiers_observed") %}
{%- set columns = config_identity().columns if is_increment else [] %}
with
    collected as (
        select *
        from {{ ref("int_identifiers_collected") }} {{ where_new(is_increment, column="first_run_number") }}
    ),

    overrides as (select node_a, node_b from {{ ref("int_overrides_applied") }}),

    causes as (
        select node_a as node, 1 as is_reviewed
        from overrides
        union all
        select node_b, 1
        from overrides
        {%- for column in columns %}
            union all
            select {{ column.name }}_node, 0
            from collected
            where {{ column.name }}_node is not null
        {%- endfor %}
        {%- if is_increment %}
            union all
            select node, 0
            from {{ this }}
            where is_reviewed = 1
        {%- endif %}
    ),

    {% if is_increment -%}
        -- As the former run left it: it is built again only after this model.
        grouped as (
            select node, component from {{ this.incorporate(path={"identifier": "int_identifiers_grouped"}) }}
        ),

        groups as (select distinct component from grouped where node in (select node from causes)),

        nodes as (
            select node, is_reviewed
            from causes
            union all
            select grouped.node, 0
            from grouped
            inner join groups on grouped.component = groups.component
        )
    {%- else -%} nodes as (select node, is_reviewed from causes)
    {%- endif %},

    touched as (select node, max(is_reviewed) as is_reviewed from nodes group by node)

select
    observed.identifier_id,
    observed.node,
    observed.identifier_type,
    observed.identifier_value,
    observed.first_event_id,
    observed.priority,
    touched.is_reviewed,
    observed.first_received_at
from {{ ref("int_identifiers_observed") }} as observed
inner join touched on observed.node = touched.node
