{{ config(materialized="increment", meta={"key": ["node"], "events_only": true}) }}
-- An identifier seen with more than the sharing limit of stronger identifiers (a kiosk, a support desk's
-- address) says nothing about who is who: its evidence is refused. Evidence only grows, so what is shared
-- stays shared.
{%- set is_increment = is_increment("int_identifiers_linked") %}
with
    linked as (
        select node_a, node_b, run_number
        from {{ ref("int_identifiers_linked") }}
        where priority_a < priority_b
    ),

    {% if is_increment -%}
        seen as (select distinct node_b from linked {{ where_new(is_increment) }}),

        counted as (select linked.* from linked inner join seen on linked.node_b = seen.node_b)
    {%- else -%} counted as (select * from linked)
    {%- endif %}

select node_b as node, count(*) as stronger_count
from counted
group by node_b
having count(*) > {{ config_identity().sharing_limit }}
