{{ config(materialized="view") }}
-- The computed traits and every SQL trait of accounts, one row an account and trait. A null value is no row.
with computed as (select * from {{ ref("int_accounts_computed") }}), valued as ({{ trait_values("account") }})

select account_id, trait, value, value_type, {{ as_of() }} as computed_at
from valued
where value is not null
