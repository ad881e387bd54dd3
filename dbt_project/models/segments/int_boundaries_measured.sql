-- What the boundaries of each moment's buyers are: values of buyers, never a rank, so that equal buyers
-- always share a tile. Recency counts negative days, so that more is better in every dimension.
with
    buyers as (select * from {{ ref("int_buyers_measured") }}),

    measured as (
        select
            level,
            moment,
            measured_at,
            'recency' as dimension,
            cast(- recency_days as {{ type_decimal() }}) as value
        from buyers
        union all
        select
            level,
            moment,
            measured_at,
            'frequency' as dimension,
            cast(frequency as {{ type_decimal() }}) as value
        from buyers
        union all
        select level, moment, measured_at, 'monetary' as dimension, monetary as value
        from buyers
    )

{% for k in range(1, var("rfm_tiles")) -%}
    select
        level,
        moment,
        dimension,
        cast({{ k }} as bigint) as k,
        count(*) as buyer_count,
        {{ quantile("value", k / var("rfm_tiles")) }} as lower_value,
        measured_at
    from measured
    group by level, moment, dimension, measured_at {{ "union all" if not loop.last }}
{% endfor %}
