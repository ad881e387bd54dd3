{{ config(materialized="incremental", incremental_strategy=append_strategy(), full_refresh=false, on_schema_change="append_new_columns", post_hook="{{ book_log('changed_at') }}") }}
-- The log of values that changed, appended to by each run and never rewritten; a trait that is no more has
-- no value. A run as of the past adds nothing. An increment compares the people who were touched, and
-- traits that are built whole.
{% set skipped = config_traits().no_history or [] %}
{% set is_increment = is_increment("int_profiles_touched", counted="int_runs_compared", also=["int_profiles_computed"]) %}
{#- The increment refers to the SQL traits. #}
{% if not execute %} {%- do trait_values("profile") -%} {% endif %}
with
    {% if is_increment -%}
        {% set whole = traits_built_whole("profile") -%}
        computed as {{ materialized() }} (
            select * from {{ ref("int_profiles_computed") }} {{ where_holder_touched(true, "profile") }}
        ),

        touched_values as ({{ trait_values("profile", left_out=skipped + whole) }}),

        current_values as (
            select profile_id, trait, value, value_type
            from touched_values
            where value is not null
            union all
            select profile_id, trait, value, value_type
            from {{ ref("profile_traits") }}
            where {{ is_one_of("trait", whole) }}
        ),
    {%- else -%}
        current_values as (
            select profile_id, trait, value, value_type
            from {{ ref("profile_traits") }}
            {% if skipped -%} where not ({{ is_one_of("trait", skipped) }})
            {%- endif %}
        ),
    {%- endif %}

    logged as (
        {% if is_incremental() -%}
            select * from {{ this }} {% if is_increment -%} where {{ trait_touched("profile") }} {%- endif %}
        {%- else -%}
            select
                cast(null as {{ dbt.type_string() }}) as profile_id,
                cast(null as {{ dbt.type_string() }}) as trait,
                cast(null as {{ dbt.type_string() }}) as value,
                cast(null as {{ dbt.type_string() }}) as value_type,
                cast(0 as bigint) as change_number,
                cast(null as {{ dbt.type_timestamp() }}) as changed_at
            limit 0
        {%- endif %}
    ),

    -- Marked, so that the last value may be none.
    latest as (
        select
            profile_id,
            trait,
            {{ last_by("case when value is null then '' else concat('=', value_type, ' ', value) end", ["change_number"]) }}
            as marked_value,
            max(change_number) as change_number
        from logged
        group by profile_id, trait
    ),

    -- What is another than the last value, or is new, or is no more.
    changes as (
        select
            coalesce(current_values.profile_id, latest.profile_id) as profile_id,
            coalesce(current_values.trait, latest.trait) as trait,
            current_values.value,
            current_values.value_type,
            coalesce(latest.change_number, 0) + 1 as change_number
        from current_values
        full outer join
            latest on current_values.profile_id = latest.profile_id and current_values.trait = latest.trait
        where
            coalesce(latest.marked_value, '') <> case
                when current_values.value is null
                then ''
                else concat('=', current_values.value_type, ' ', current_values.value)
            end
    ),

    newest as (
        {% if is_incremental() -%}select max(changed_at) as changed_at from {{ this }}
        {%- else -%}select cast(null as {{ dbt.type_timestamp() }}) as changed_at
        {%- endif %}
    )

select
    changes.profile_id,
    changes.trait,
    changes.value,
    changes.value_type,
    cast(changes.change_number as bigint) as change_number,
    {{ as_of() }} as changed_at
from changes
cross join newest
where newest.changed_at is null or newest.changed_at <= {{ as_of() }}
