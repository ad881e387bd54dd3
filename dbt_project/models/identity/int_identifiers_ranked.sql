-- Members of each group by seniority: 1 was seen first and names the profile.
with
    grouped as (select * from {{ ref("int_identifiers_grouped") }}),

    observed as (select * from {{ ref("int_identifiers_observed") }})

select
    grouped.node,
    grouped.component,
    observed.identifier_id,
    observed.first_event_id,
    row_number() over (
        partition by grouped.component
        order by
            observed.first_received_at, observed.first_event_id, observed.priority, observed.identifier_value
    ) as seniority
from grouped
inner join observed on grouped.node = observed.node
