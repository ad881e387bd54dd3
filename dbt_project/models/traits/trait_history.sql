{{ config(materialized="view") }}
-- The spans read off the log: a value until the change that follows it.
with
    changes as (select * from {{ ref("int_traits_changed") }} where changed_at <= {{ as_of() }}),

    spans as (
        select *, lead(changed_at) over (partition by profile_id, trait order by change_number) as valid_to
        from changes
    )

select profile_id, trait, value, value_type, change_number, changed_at as valid_from, valid_to
from spans
where value is not null
