-- Each delivery is a state of a ticket: the one updated last by then holds.
with
    delivered as (
        select *, coalesce(updated_at, solved_at, opened_at) as known_at
        from {{ source("raw", "support_tickets") }}
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by ticket_id
                order by
                    known_at desc nulls last,
                    solved_at desc nulls last,
                    status desc nulls last,
                    priority desc nulls last,
                    subject desc nulls last,
                    user_id nulls last,
                    email nulls last
            ) as version_number
        from delivered
        where known_at <= {{ as_of() }}
    )

select
    ticket_id,
    user_id,
    lower(email) as email,
    channel,
    status,
    priority,
    subject,
    status in ('open', 'pending') as is_open,
    opened_at,
    solved_at,
    known_at
from ranked
where version_number = 1
