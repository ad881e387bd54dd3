-- The computed traits of accounts, one row an account and trait. A null value is no row.
with
    computed as (select * from {{ ref("int_accounts_computed") }}),

    valued as (
        {%- for trait in traits_of("account") %}
            {{ "union all" if not loop.first }}
            select
                account_id,
                '{{ trait.name }}' as trait,
                {{ trait_text(trait.name, trait_type(trait)) }} as value,
                '{{ trait_type(trait) }}' as value_type
            from computed
        {%- endfor %}
    )

select account_id, trait, value, value_type, {{ as_of() }} as computed_at
from valued
where value is not null
