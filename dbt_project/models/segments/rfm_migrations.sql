-- Who went where between any two of the measured dates, a full matrix for each pair of dates: the row of a
-- segment sums to its members at the earlier date. Who is no buyer at one of them is `absent` then.
with
    scored as (
        select *
        from {{ ref("int_buyers_scored") }}
        {% if rfm_moments()[0].at == rfm_moments()[1].at -%} where moment <> 1 {%- endif %}
    ),

    -- At a date that was asked for nobody may have bought yet.
    asked as (select * from ({{ rfm_moment_rows() }}) as moments where is_asked),

    levels as (select distinct level from scored),

    measured as (
        select level, moment, measured_at
        from scored
        union all
        select levels.level, asked.moment, asked.measured_at
        from levels
        cross join asked
    ),

    moments as (select distinct level, moment, measured_at from measured),

    pairs as (
        select
            earlier.level,
            earlier.moment as from_moment,
            later.moment as to_moment,
            earlier.measured_at as from_at,
            later.measured_at as to_at
        from moments as earlier
        inner join moments as later on earlier.level = later.level and earlier.measured_at < later.measured_at
    ),

    moves as (
        select
            pairs.level,
            pairs.from_at,
            pairs.to_at,
            scored.buyer_id,
            coalesce(
                max(case when scored.moment = pairs.from_moment then scored.segment end), 'absent'
            ) as from_segment,
            coalesce(
                max(case when scored.moment = pairs.to_moment then scored.segment end), 'absent'
            ) as to_segment
        from pairs
        inner join
            scored
            on scored.level = pairs.level
            and (scored.moment = pairs.from_moment or scored.moment = pairs.to_moment)
        group by pairs.level, pairs.from_at, pairs.to_at, scored.buyer_id
    ),

    counted as (
        select level, from_at, to_at, from_segment, to_segment, count(*) as buyer_count
        from moves
        group by level, from_at, to_at, from_segment, to_segment
    ),

    segments as (
        {% for loyalty in ["new", "still_loyal", "once_loyal", "old"] -%}
            {% for value in ["high", "low"] -%}
                select '{{ loyalty }}_{{ value }}' as segment
                union all
            {% endfor -%}
        {% endfor -%}
        select 'absent' as segment
    ),

    cells as (
        select
            pairs.level,
            pairs.from_at,
            pairs.to_at,
            origins.segment as from_segment,
            targets.segment as to_segment
        from pairs
        cross join segments as origins
        cross join segments as targets
        where origins.segment <> 'absent' or targets.segment <> 'absent'
    )

select
    cells.level,
    cells.from_segment,
    cells.to_segment,
    cast(coalesce(counted.buyer_count, 0) as bigint) as buyer_count,
    cast(
        sum(coalesce(counted.buyer_count, 0)) over (
            partition by cells.level, cells.from_at, cells.to_at, cells.from_segment
        ) as bigint
    ) as from_count,
    cells.from_at,
    cells.to_at
from cells
left join
    counted
    on cells.level = counted.level
    and cells.from_at = counted.from_at
    and cells.to_at = counted.to_at
    and cells.from_segment = counted.from_segment
    and cells.to_segment = counted.to_segment
