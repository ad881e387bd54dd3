{{ config(materialized="incremental", incremental_strategy=append_strategy(), full_refresh=false, on_schema_change="append_new_columns") }}
-- The boundaries that are in force for a period, frozen once and never rewritten: those of the buyers
-- known when the period began. Of too few buyers nothing is frozen. A row without a level is from before
-- accounts were
-- scored.
with
    measured as (
        select *
        from {{ ref("int_boundaries_measured") }}
        where moment between 1 and {{ rfm_period_count() }} and buyer_count >= {{ rfm_buyers_needed() }}
    ),

    logged as (
        {% if is_incremental() -%}
            select distinct coalesce(level, 'profile') as level, dimension, tile_count, period_at
            from {{ this }}
        {%- else -%}
            select
                cast(null as {{ dbt.type_string() }}) as level,
                cast(null as {{ dbt.type_string() }}) as dimension,
                cast(null as bigint) as tile_count,
                cast(null as {{ dbt.type_timestamp() }}) as period_at
            limit 0
        {%- endif %}
    )

select
    measured.dimension,
    cast({{ var("rfm_tiles") }} as bigint) as tile_count,
    measured.k,
    cast(measured.buyer_count as bigint) as buyer_count,
    cast(measured.lower_value as {{ type_decimal() }}) as lower_value,
    measured.measured_at as period_at,
    {{ as_of() }} as as_of,
    measured.level
from measured
left join
    logged
    on measured.level = logged.level
    and measured.dimension = logged.dimension
    and measured.measured_at = logged.period_at
    and logged.tile_count = {{ var("rfm_tiles") }}
where logged.dimension is null
