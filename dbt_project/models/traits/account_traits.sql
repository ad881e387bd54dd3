-- The computed traits and every SQL trait of accounts, one row an account and trait. A null value is no row.
with computed as (select * from {{ ref("int_accounts_computed") }}), valued as ({{ trait_values("account") }})

select valued.account_id, valued.trait, valued.value, valued.value_type, {{ as_of() }} as computed_at
from valued
inner join computed on valued.account_id = computed.account_id
where valued.value is not null
