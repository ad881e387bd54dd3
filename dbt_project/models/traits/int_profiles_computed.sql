{{ config(materialized="increment", meta={"touched": "profile_id"}) }}
-- The computed traits of people (config/traits.yml), one column each.
{%- set is_increment = is_increment("int_profiles_touched", counted="int_runs_compared") %}
with
    holders as (
        select profile_id from {{ ref("profiles") }} {{ where_holder_touched(is_increment, "profile") }}
    ),

    events as {{ materialized(is_increment) }} (
        select *
        from
            {{ ref("int_properties_extracted") }}
            {{ where_touched(is_increment, ["profile_key"], touched="int_profiles_touched", key="profile_key") }}
    ),

    orders as (select * from {{ ref("orders") }} {{ where_holder_touched(is_increment, "profile") }}),

    sessions as (select * from {{ ref("sessions") }} {{ where_holder_touched(is_increment, "profile") }})

    {{ compute_traits("profile") }}
