{{ config(materialized="increment") }}
-- The accounts whose traits this run computes anew, if it does not compute all; those that are gone as well.
{%- set is_increment = is_increment("int_properties_extracted", counted="int_runs_compared", also=["int_events_resolved", "int_files_counted"]) %}
with
    {% if is_increment -%}
        -- As the former run left it: it is built again only after this model.
        former as (
            select account_id
            from {{ former_relation("int_accounts_computed") or ref("accounts") }}
            {% if not former_relation("int_accounts_computed") -%} where 1 = 0 {%- endif %}
        ),
    {%- endif %}

    accounts as (select account_id from {{ ref("accounts") }}),

    events as (select * from {{ ref("int_properties_extracted") }}),

    reports as (select * from {{ ref("int_orders_reported") }}),

    orders as (select * from {{ ref("orders") }}),

    named as (
        select account_id
        from accounts
        union all
        select account_id
        from orders
    ),

    holders as (select distinct account_id from named where account_id is not null)

    {%- if is_increment %} {{ holders_touched("account") }}
{%- else %} select account_id, {{ holder_key("account_id") }} as account_key from holders where 1 = 0
{%- endif %}
