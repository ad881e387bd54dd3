-- An answer that is delivered again with other words was corrected: the latest by then holds.
with
    delivered as (select * from {{ source("raw", "survey_answers") }} where answered_at <= {{ as_of() }}),

    ranked as (
        select
            *,
            row_number() over (
                partition by response_id, survey, question
                order by
                    answered_at desc nulls last,
                    score desc nulls last,
                    answer desc nulls last,
                    user_id nulls last,
                    email nulls last
            ) as version_number
        from delivered
    )

select response_id, survey, question, user_id, lower(email) as email, answer, score, answered_at
from ranked
where version_number = 1
