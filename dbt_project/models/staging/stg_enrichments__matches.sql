-- The latest word by then about an e-mail address, or about a domain (a row that names no address).
with
    delivered as (
        select *, case when email is not null then 'email' else 'domain' end as matched_by
        from {{ source("raw", "enrichments") }}
        where observed_at <= {{ as_of() }}
    ),

    keyed as (
        select *, lower(case when matched_by = 'email' then email else domain end) as match_value
        from delivered
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by matched_by, match_value
                order by
                    observed_at desc nulls last,
                    company desc nulls last,
                    industry desc nulls last,
                    job_title desc nulls last,
                    country desc nulls last,
                    employee_count desc nulls last
            ) as version_number
        from keyed
    )

select matched_by, match_value, company, industry, job_title, country, employee_count, observed_at
from ranked
where version_number = 1
