{{ config(materialized="increment") }}
-- The profiles whose traits this run computes anew, if it does not compute all; those that are gone as well.
{#- As the former run left it: it is built again only after this model. #}
{%- set former = this.incorporate(path={"identifier": "int_profiles_computed"}) %}
{%- set is_increment = is_increment("int_properties_extracted", counted="int_runs_compared") %}
with
    {% if is_increment -%}
        former as (
            {% if load_cached_relation(former) is not none -%}select profile_id from {{ former }}
            {%- else -%}select profile_id from {{ ref("profiles") }} where 1 = 0
            {%- endif %}
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
