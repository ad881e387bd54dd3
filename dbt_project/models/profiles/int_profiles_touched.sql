{{ config(materialized="increment") }}
-- The profiles whose traits this run computes anew, if it does not compute all; those that are gone as well.
{%- set is_increment = is_increment("int_properties_extracted", counted="int_runs_compared", also=["int_events_resolved", "int_files_counted"]) %}
with
    {% if is_increment -%}
        -- As the former run left it: it is built again only after this model.
        former as (
            select profile_id
            from {{ former_relation("int_profiles_computed") or ref("profiles") }}
            {% if not former_relation("int_profiles_computed") -%} where 1 = 0 {%- endif %}
        ),
    {%- endif %}

    holders as (select profile_id from {{ ref("profiles") }}),

    events as (select * from {{ ref("int_properties_extracted") }}),

    reports as (select * from {{ ref("int_orders_reported") }}),

    orders as (select * from {{ ref("orders") }}),

    sessions as (select * from {{ ref("sessions") }})

    {%- if is_increment %} {{ holders_touched("profile") }}
{%- else %} select profile_id, {{ holder_key("profile_id") }} as profile_key from holders where 1 = 0
{%- endif %}
