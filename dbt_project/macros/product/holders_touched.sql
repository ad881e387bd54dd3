{# The profiles, or the accounts (`level`), whose traits an increment computes anew, after the CTEs of its holders and sources, and `former`,
   the holders that have traits: who has an event that is new or changed hands; who has to do with an order that such an event tells of; who
   has a fact that came into a trait's window since the former as-of time, or left it; who came or went without an event. #}
{% macro holders_touched(level) -%}
    {%- set key = level ~ "_id" -%}
    {#- Literals, so that only the rows within are read. #}
    {%- set former_as_of = "cast('" ~ scalar("select max(former_as_of) from " ~ ref("int_runs_compared")) ~ "' as " ~ dbt.type_timestamp() ~ ")" -%}
    {%- set moments = {"events": "occurred_at", "orders": "ordered_at", "sessions": "started_at"} -%}
    ,

    runs as (select max(run_number) as run_number from {{ ref("int_files_counted") }}),

    changed as (
        select resolved.event_id, resolved.profile_id, resolved.former_profile_id
        from {{ ref("int_events_resolved") }} as resolved
        inner join runs on resolved.run_number = runs.run_number
    ),

    reported_orders as (
        select distinct reports.order_id from reports inner join changed on reports.event_id = changed.event_id
    ),

    causes as (
        {%- if level == "profile" %}
            select profile_id from changed
            union all
            select former_profile_id from changed
        {%- else %}
            select events.account_id from events inner join runs on events.run_number = runs.run_number
        {%- endif %}
        union all
        select reports.{{ key }} from reports inner join reported_orders on reports.order_id = reported_orders.order_id
        union all
        select coalesce(holders.{{ key }}, former.{{ key }})
        from holders
        full outer join former on holders.{{ key }} = former.{{ key }}
        where holders.{{ key }} is null or former.{{ key }} is null
        {%- set windows = [] %}
        {%- for trait in traits_of(level) if trait.within_days and (trait.source, trait.event, trait.within_days) not in windows %}
            {%- do windows.append((trait.source, trait.event, trait.within_days)) %}
            {%- set at = "facts." ~ moments[trait.source] %}
            {%- set seconds = -86400 * trait.within_days %}
            union all
            select facts.{{ key }}
            from {{ trait.source }} as facts
            where
                {% if trait.event %}facts.event = {{ text_literal(trait.event) }} and {% endif -%}
                (
                    ({{ at }} >= {{ add_seconds(former_as_of, seconds) }} and {{ at }} < {{ add_seconds(as_of(), seconds) }})
                    or ({{ at }} >= {{ former_as_of }} and {{ at }} < {{ as_of() }})
                )
        {%- endfor %}
    ),

    touched as (select distinct {{ key }} from causes where {{ key }} is not null)

select {{ key }}, {{ holder_key(key) }} as {{ level }}_key from touched
{%- endmacro %}
