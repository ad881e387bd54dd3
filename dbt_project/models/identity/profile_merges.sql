with
    merged as (select * from {{ ref("int_profiles_merged") }}),

    evidence as (select * from {{ ref("int_evidence_ordered") }}),

    ranked as (select * from {{ ref("int_identifiers_ranked") }}),

    named as (
        select
            former.identifier_id as profile_id,
            canonical.identifier_id as canonical_profile_id,
            evidence.first_event_id as event_id,
            evidence.first_received_at as merged_at,
            former.first_event_id
        from merged
        inner join
            evidence
            on merged.component = evidence.component
            and merged.evidence_number = evidence.evidence_number
        inner join
            ranked as former on merged.component = former.component and merged.seniority = former.seniority
        inner join ranked as canonical on merged.component = canonical.component and canonical.seniority = 1
    )

-- An identifier that was tied to an older one on its own first event never named a profile.
select profile_id, canonical_profile_id, event_id, merged_at
from named
where event_id <> first_event_id
