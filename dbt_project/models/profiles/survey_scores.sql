-- What a person answered last; with nine or ten points of the question `nps` a promoter, with six or less a
-- detractor.
with
    answers as ({{ matched_profiles(ref("stg_surveys__answers")) }}),

    ranked as (
        select
            *,
            row_number() over (
                partition by profile_id, survey, question
                order by answered_at desc nulls last, response_id desc nulls last
            ) as answer_number,
            count(*) over (partition by profile_id, survey, question) as answer_count
        from answers
    )

select
    profile_id,
    survey,
    question,
    answer,
    case
        when question <> 'nps'
        then null
        when score >= 9
        then 'promoter'
        when score >= 7
        then 'passive'
        when score is not null
        then 'detractor'
    end as nps_group,
    score,
    cast(answer_count as bigint) as answer_count,
    answered_at
from ranked
where answer_number = 1
