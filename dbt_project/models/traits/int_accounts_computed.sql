-- The computed traits of accounts (config/traits.yml, level: account), one column each. An account is who an
-- event or an order names.
with
    events as (select *, group_id as account_id from {{ ref("profile_events") }}),

    orders as (select * from {{ ref("orders") }}),

    named as (
        select account_id
        from events
        union all
        select account_id
        from orders
    ),

    holders as (select distinct account_id from named where account_id is not null)

    {{ compute_traits("account") }}
