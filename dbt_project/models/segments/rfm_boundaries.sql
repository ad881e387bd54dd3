-- Boundaries are values of the population, stored, so that equal customers always share a tile. Recency
-- is measured by the time of the last order (in seconds since 1970, UTC): later is better, as for the
-- other two.
with
    buyers as (select * from {{ ref("int_buyers_measured") }}),

    measured as (
        select
            'recency' as dimension,
            cast(
                {{ seconds_between("cast('1970-01-01' as timestamp)", "last_ordered_at") }}
                as {{ type_decimal() }}
            ) as value
        from buyers
        union all
        select 'frequency' as dimension, cast(frequency as {{ type_decimal() }}) as value
        from buyers
        union all
        select 'monetary' as dimension, monetary as value
        from buyers
    )

{% for k in range(1, var("rfm_tiles")) -%}
    select
        dimension,
        cast({{ k }} as bigint) as k,
        {{ quantile("value", k / var("rfm_tiles")) }} as lower_value,
        {{ as_of() }} as as_of
    from measured
    group by dimension {{ "union all" if not loop.last }}
{% endfor %}
