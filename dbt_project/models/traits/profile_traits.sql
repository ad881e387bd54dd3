{{ config(materialized="view") }}
-- The computed traits and every SQL trait, one row a profile and trait. A null value is no row.
{{ check_trait_names() }}
with computed as (select * from {{ ref("int_profiles_computed") }}), valued as ({{ trait_values("profile") }})

select profile_id, trait, value, value_type, {{ as_of() }} as computed_at
from valued
where value is not null
