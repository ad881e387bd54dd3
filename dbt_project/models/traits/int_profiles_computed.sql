-- The computed traits of people (config/traits.yml), one column each.
with
    holders as (select profile_id from {{ ref("profiles") }}),

    events as (select * from {{ ref("int_properties_extracted") }}),

    orders as (select * from {{ ref("orders") }}),

    sessions as (select * from {{ ref("sessions") }})

    {{ compute_traits("profile") }}
