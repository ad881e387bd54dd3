-- What a vendor says about one of a person's addresses, else about the domain of one; the latest word holds.
with
    addresses as (
        select
            profile_id, identifier_value as email, {{ extract_group("identifier_value", "@(.+)$") }} as domain
        from {{ ref("profile_identifiers") }}
        where profile_id is not null and identifier_type = 'email'
    ),

    matches as (select * from {{ ref("stg_enrichments__matches") }}),

    matched as (
        select addresses.profile_id, matches.*
        from addresses
        inner join
            matches
            on matches.match_value
            = case when matches.matched_by = 'email' then addresses.email else addresses.domain end
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by profile_id
                order by
                    case when matched_by = 'email' then 0 else 1 end,
                    observed_at desc nulls last,
                    match_value nulls last
            ) as match_number
        from matched
    )

select profile_id, matched_by, company, industry, job_title, country, employee_count, observed_at
from ranked
where match_number = 1
