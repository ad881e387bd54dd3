-- The computed traits and every SQL trait, one row a profile and trait. A null value is no row.
{{ check_trait_names() }}
with
    computed as (select * from {{ ref("int_profiles_computed") }}),

    profiles as (select profile_id from {{ ref("profiles") }}),

    valued as (
        {%- for trait in traits_of("profile") %}
            {{ "union all" if not loop.first }}
            select
                profile_id,
                '{{ trait.name }}' as trait,
                {{ trait_text(trait.name, trait_type(trait)) }} as value,
                '{{ trait_type(trait) }}' as value_type
            from computed
        {%- endfor %}
        {%- for trait, type in var("sql_traits").items() %}
            union all
            select
                profile_id,
                '{{ trait }}' as trait,
                {{ trait_text("value", type) }} as value,
                '{{ type }}' as value_type
            from {{ ref("sql_traits", trait) }}
        {%- endfor %}
    )

select valued.profile_id, valued.trait, valued.value, valued.value_type, {{ as_of() }} as computed_at
from valued
inner join profiles on valued.profile_id = profiles.profile_id
where valued.value is not null
