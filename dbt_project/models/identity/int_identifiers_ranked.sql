{{ config(materialized="increment", meta={"touched": "node"}) }}
-- Members of each profile with more than one, by seniority: 1 was seen first and names the profile.
{%- set is_increment = is_increment("int_identifiers_touched") %}
with
    held as (
        select *
        from {{ ref("int_identifiers_held") }}
        where component is not null {{ where_touched(is_increment, ["node"], "and") }}
    ),

    several as (select component from held group by component having count(*) > 1)

select
    held.node,
    held.component,
    held.identifier_id,
    held.first_event_id,
    held.first_received_at,
    row_number() over (
        partition by held.component
        order by held.first_received_at, held.first_event_id, held.priority, held.identifier_value
    ) as seniority
from held
inner join several on held.component = several.component
