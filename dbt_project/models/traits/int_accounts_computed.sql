-- The computed traits of accounts (config/traits.yml, level: account), one column each. An account is who an
-- event or an order names.
with
    events as (select * from {{ ref("int_properties_extracted") }}),

    accounts as (select account_id from {{ ref("accounts") }}),

    orders as (select * from {{ ref("orders") }}),

    named as (
        select account_id
        from accounts
        union all
        select account_id
        from orders
    ),

    holders as (select distinct account_id from named where account_id is not null)

    {{ compute_traits("account") }}
