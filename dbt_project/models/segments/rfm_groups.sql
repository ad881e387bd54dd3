-- Other names for the same tiles (config/rfm.yml): the first group whose ranges hold a buyer's tiles.
with scores as (select * from {{ ref("rfm_scores") }})

{% for grouping in config_rfm().groupings -%}
    select
        profile_id,
        '{{ grouping.name }}' as grouping_name,
        case
            {%- for group in grouping.groups %}
                when
                    true
                    {%- for tile, range in {"r_tile": group.recency, "f_tile": group.frequency, "m_tile": group.monetary}.items() if range %}
                        and {{ tile }} between {{ range[0] }} and {{ range[1] }}
                    {%- endfor %}
                then '{{ group.name }}'
            {%- endfor %}
            else '{{ grouping.otherwise }}'
        end as group_name,
        {{ as_of() }} as as_of
    from scores {{ "union all" if not loop.last }}
{% endfor %}
