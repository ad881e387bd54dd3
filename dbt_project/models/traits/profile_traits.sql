-- The computed traits and every SQL trait, one row a profile and trait. A null value is no row.
{{ check_trait_names() }}
with
    computed as (select * from {{ ref("int_profiles_computed") }}),

    profiles as (select profile_id from {{ ref("profiles") }}),

    valued as ({{ trait_values("profile") }})

select valued.profile_id, valued.trait, valued.value, valued.value_type, {{ as_of() }} as computed_at
from valued
inner join profiles on valued.profile_id = profiles.profile_id
where valued.value is not null
