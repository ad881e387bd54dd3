-- Membership spans, read off the log: an enter until the change that follows it.
with
    changes as (select * from {{ ref("audience_changes") }} where changed_at <= {{ as_of() }}),

    spans as (
        select
            *,
            lead(changed_at) over (partition by audience, profile_id order by change_number) as exited_at,
            lead(reason) over (partition by audience, profile_id order by change_number) as exit_reason
        from changes
    )

select
    audience,
    profile_id,
    exit_reason,
    definition_hash,
    arm,
    change_number,
    changed_at as entered_at,
    exited_at
from spans
where change_type = 'enter'
