-- The touchpoints before each conversion, inside the window (in seconds), numbered from the first.
with
    conversions as (select * from {{ ref("conversions") }}),

    touchpoints as (select * from {{ ref("touchpoints") }})

select
    conversions.conversion_id,
    touchpoints.touchpoint_id,
    touchpoints.channel,
    touchpoints.campaign,
    conversions.revenue,
    row_number() over (
        partition by conversions.conversion_id order by touchpoints.touched_at, touchpoints.touchpoint_id
    ) as touch_number,
    count(*) over (partition by conversions.conversion_id) as touch_count,
    conversions.converted_at
from conversions
inner join
    touchpoints
    on conversions.profile_id = touchpoints.profile_id
    and touchpoints.touched_at <= conversions.converted_at
    and touchpoints.touched_at
    >= {{ add_seconds("conversions.converted_at", -var("attribution_window_days") * 86400) }}
