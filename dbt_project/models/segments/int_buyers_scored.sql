-- A tile is 1 plus the number of boundaries that the value lies above: a function of the value alone.
-- Loyalty crosses recency with frequency; value is the monetary half. Tiles are relative, so a recent
-- buyer of a shop that has gone quiet is `new` only within an absolute number of days.
{% set dimensions = ["recency", "frequency", "monetary"] %}
{% set tiles = var("rfm_tiles") %}
with
    buyers as (select *, - recency_days as recency from {{ ref("int_buyers_measured") }}),

    -- One row a moment, so that scoring does not multiply the buyers.
    boundaries as (
        select
            {% for dimension in dimensions -%}
                {% for k in range(1, tiles) -%}
                    max(
                        case when dimension = '{{ dimension }}' and k = {{ k }} then lower_value end
                    ) as {{ dimension }}_{{ k }},
                {% endfor -%}
            {% endfor -%}
            period_at,
            level,
            moment
        from {{ ref("int_boundaries_applied") }}
        group by level, moment, period_at
    ),

    tiled as (
        select
            buyers.*,
            boundaries.period_at,
            {% for dimension in dimensions -%}
                1
                {%- for k in range(1, tiles) %}
                    + case when buyers.{{ dimension }} > boundaries.{{ dimension }}_{{ k }} then 1 else 0 end
                {%- endfor %} as {{ dimension }}_tile,
                case
                    {%- for k in range(tiles - 1, 0, -1) %}
                        when buyers.{{ dimension }} > boundaries.{{ dimension }}_{{ k }}
                        then boundaries.{{ dimension }}_{{ k }}
                    {%- endfor %}
                end as {{ dimension }}_boundary{{ "," if not loop.last }}
            {% endfor -%}
        from buyers
        inner join boundaries on buyers.level = boundaries.level and buyers.moment = boundaries.moment
    ),

    -- A customer who gave back as much as was bought is never of high value, whatever the others did.
    valued as (
        select
            *,
            case when monetary <= 0 then 1 else monetary_tile end as value_tile,
            case when monetary > 0 then monetary_boundary end as value_boundary
        from tiled
    ),

    halves as (
        select
            *,
            2 * recency_tile > {{ tiles }} as is_recent,
            2 * frequency_tile > {{ tiles }} as is_frequent,
            2 * value_tile > {{ tiles }} as is_valuable
        from valued
    ),

    named as (
        select
            *,
            case
                when is_recent and is_frequent
                then 'still_loyal'
                when is_frequent
                then 'once_loyal'
                when is_recent and recency_days <= {{ var("rfm_new_within_days") }}
                then 'new'
                else 'old'
            end as loyalty_segment,
            case when is_valuable then 'high' else 'low' end as value_segment
        from halves
    )

select
    level,
    moment,
    buyer_id,
    loyalty_segment || '_' || value_segment as segment,
    loyalty_segment,
    value_segment,
    recency_days,
    frequency,
    monetary,
    cast(recency_tile as bigint) as r_tile,
    cast(frequency_tile as bigint) as f_tile,
    cast(value_tile as bigint) as m_tile,
    cast(- recency_boundary as bigint) as r_boundary,
    cast(frequency_boundary as bigint) as f_boundary,
    cast(value_boundary as {{ type_decimal() }}) as m_boundary,
    last_ordered_at,
    measured_at,
    period_at
from named
