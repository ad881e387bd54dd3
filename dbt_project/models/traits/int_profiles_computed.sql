-- The computed traits (config/traits.yml), one column each: every source is read once, narrowed to the
-- properties that some trait needs, and counted by profile.
{% set sources = {
    "events": {"key": "event_id", "at": "occurred_at"},
    "orders": {"key": "order_id", "at": "ordered_at"},
    "sessions": {"key": "session_id", "at": "started_at"},
} %}
{% set counted = ["count", "unique_count"] %}
with
    profiles as (select profile_id from {{ ref("profiles") }}),

    events as (select * from {{ ref("profile_events") }}),

    orders as (select * from {{ ref("orders") }}),

    sessions as (select * from {{ ref("sessions") }})

    {%- for source, columns in sources.items() %}
        {%- set traits = config_traits().traits | selectattr("source", "equalto", source) | list %}
        {%- set properties = trait_properties(source) %}
        {%- set frequent = traits | selectattr("kind", "equalto", "most_frequent") | list %}

        {%- if traits %}
            ,
            {{ source }}_read as {{ materialized() }} (
                select
                    profile_id,
                    {{ columns.key }} as fact_id,
                    {{ "event," if source == "events" }}
                    {%- for property in properties.values() %}
                        {{ trait_read(source, property, traits | map(attribute="event") | unique | list) }}
                        as {{ property.alias }},
                    {%- endfor %}
                    {{ columns.at }} as happened_at
                from {{ source }}
                where
                    profile_id is not null
                    {%- if source == "events" %}
                        and event in (
                            {%- for name in traits | map(attribute="event") | unique %}
                                {{ text_literal(name) }}{{ "," if not loop.last }}
                            {%- endfor %}
                        )
                    {%- endif %}
            ),

            {{ source }}_totalled as (
                select
                    {%- for trait in traits if trait.kind != "most_frequent" %}
                        {{ trait_aggregate(trait, properties) }} as {{ trait.name }},
                    {%- endfor %}
                    profile_id
                from {{ source }}_read
                group by profile_id
            )
        {%- endif %}

        {%- if frequent %}
            ,
            {{ source }}_values as (
                {%- for trait in frequent %}
                    select
                        profile_id,
                        '{{ trait.name }}' as trait,
                        {{ trait_value_text(properties[trait.property]) }} as value,
                        count(*) as value_count
                    from {{ source }}_read
                    where
                        {{ properties[trait.property].alias }} is not null
                        and {{ trait_applies(trait, properties) }}
                    group by
                        profile_id,
                        {{ trait_value_text(properties[trait.property]) }}
                        {{ "union all" if not loop.last }}
                {%- endfor %}
            ),

            {{ source }}_favoured as (
                select
                    {%- for trait in frequent %}
                        case
                            when
                                sum(case when trait = '{{ trait.name }}' then value_count else 0 end)
                                >= {{ trait.minimum_count }}
                                and max(case when trait = '{{ trait.name }}' then value_count else 0 end)
                                >= {{ trait.winner_count }}
                            then
                                {{ first_by("case when trait = '" ~ trait.name ~ "' then value end", ["- value_count", "value"]) }}
                        end as {{ trait.name }},
                    {%- endfor %}
                    profile_id
                from {{ source }}_values
                group by profile_id
            )
        {%- endif %}
    {%- endfor %}

select
    {%- for trait in config_traits().traits %}
        {%- set column = trait.source ~ ("_favoured." if trait.kind == "most_frequent" else "_totalled.") ~ trait.name %}
        {%- if trait.kind in counted %} cast(coalesce({{ column }}, 0) as bigint) as {{ trait.name }},
        {%- elif trait_type(trait) == "decimal" %}
            {%- set value = column if trait.when_none is none else "coalesce(" ~ column ~ ", " ~ trait.when_none ~ ")" %}
            cast({{ value }} as {{ type_decimal() }}) as {{ trait.name }},
        {%- elif trait_type(trait) == "bigint" %} cast({{ column }} as bigint) as {{ trait.name }},
        {%- else %} {{ column }},
        {%- endif %}
    {%- endfor %}
    profiles.profile_id
from profiles
{%- for source in sources %}
        {%- set kinds = config_traits().traits | selectattr("source", "equalto", source) | map(attribute="kind") | list %}
    {%- if kinds %}
        left join {{ source }}_totalled on profiles.profile_id = {{ source }}_totalled.profile_id
    {%- endif %}
    {%- if "most_frequent" in kinds %}
        left join {{ source }}_favoured on profiles.profile_id = {{ source }}_favoured.profile_id
    {%- endif %}
{%- endfor %}
