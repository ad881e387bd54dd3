-- An identifier that was tied to an older one on its own first event never named a profile, unless it is a
-- reviewed line that ties them: it did until the line was written.
with
    ended as (select * from {{ ref("int_profiles_ended") }} where event_id <> first_event_id or is_reviewed),

    canonical as (select * from {{ ref("int_identifiers_ranked") }} where seniority = 1)

select
    ended.identifier_id as profile_id,
    canonical.identifier_id as canonical_profile_id,
    ended.event_id,
    ended.merged_at
from ended
inner join canonical on ended.component = canonical.component
