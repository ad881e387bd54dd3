with linked as (select * from {{ ref("int_identifiers_linked") }})

select
    identifier_type_a,
    identifier_value_a,
    identifier_type_b,
    identifier_value_b,
    first_event_id,
    case when is_shared_a or is_shared_b then 'refused' else 'used' end as status,
    case
        when is_shared_a
        then 'shared identifier: ' || identifier_type_a
        when is_shared_b
        then 'shared identifier: ' || identifier_type_b
    end as reason,
    event_count,
    first_seen_at,
    last_seen_at
from linked
