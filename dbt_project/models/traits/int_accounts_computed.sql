{{ config(materialized="increment", meta={"touched": "account_id"}) }}
-- The computed traits of accounts (config/traits.yml, level: account), one column each. An account is who an
-- event or an order names.
{%- set is_increment = is_increment("int_accounts_touched", counted="int_runs_compared") %}
with
    events as (
        select *
        from {{ ref("int_properties_extracted") }} {{ where_holder_touched(is_increment, "account") }}
    ),

    accounts as (
        select account_id from {{ ref("accounts") }} {{ where_holder_touched(is_increment, "account") }}
    ),

    orders as (select * from {{ ref("orders") }} {{ where_holder_touched(is_increment, "account") }}),

    named as (
        select account_id
        from accounts
        union all
        select account_id
        from orders
    ),

    holders as (select distinct account_id from named where account_id is not null)

    {{ compute_traits("account") }}
