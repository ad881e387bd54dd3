-- The value of each field that survives by its rule, with where it came from.
{% set orders = {
    "latest": [],
    "first": ["occurred_at nulls last", "event_id nulls last"],
    "most_frequent": ["value_count desc nulls last", "value"],
    "maximum": ["number desc nulls last", "value desc nulls last"],
} %}
with
    reported as (select * from {{ ref("int_fields_reported") }}),

    counted as (
        select
            *,
            count(*) over (partition by profile_id, field, value) as value_count,
            {{ parse_decimal("value") }} as number
        from reported
    ),

    ranked as (
        {% for field in config_profiles().fields -%}
            select
                *,
                '{{ field.rule }}' as rule,
                row_number() over (
                    partition by profile_id
                    order by
                        {% if field.rule == "source_priority" -%}
                            case
                                {%- for source in field.sources %}
                                    when source_id = {{ text_literal(source) }} then {{ loop.index }}
                                {%- endfor %}
                                else {{ field.sources | length + 1 }}
                            end,
                        {%- endif %}
                        {% for key in orders.get(field.rule, []) %} {{ key }}, {% endfor -%}
                        occurred_at desc nulls last,
                        event_id desc nulls last
                ) as place
            from counted
            where
                field = '{{ field.name }}' {{ "and number is not null" if field.rule == "maximum" }}
                {{ "union all" if not loop.last }}
        {% endfor %}
    )

select
    profile_id,
    field,
    value,
    rule,
    source_id,
    event_id,
    cast(value_count as bigint) as value_count,
    occurred_at
from ranked
where place = 1
