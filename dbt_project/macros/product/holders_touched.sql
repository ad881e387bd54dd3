{# The profiles, or the accounts (`level`), whose traits an increment computes anew, after the CTEs of its holders and sources, and `former`,
   the holders that have traits: who has an event that is new or changed hands; who has to do with an order that such an event tells of; who
   has a fact that came into a trait's window since the former as-of time, or left it; who came or went without an event. #}
{% macro holders_touched(level) -%}
    {%- set key = level ~ "_id" -%}
    {%- set moments = {"events": "occurred_at", "orders": "ordered_at", "sessions": "started_at"} -%}
    ,

    runs as (
        select counted.run_number, compared.former_as_of
        from (select max(run_number) as run_number from {{ ref("int_files_counted") }}) as counted
        cross join {{ ref("int_runs_compared") }} as compared
    ),

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
        select holders.{{ key }} from holders left join former on holders.{{ key }} = former.{{ key }} where former.{{ key }} is null
        union all
        select former.{{ key }} from former left join holders on former.{{ key }} = holders.{{ key }} where holders.{{ key }} is null
        {#- A margin of two seconds: a SQL trait may count whole seconds. -#}
        {%- for source, at in moments.items() if level == "profile" or source != "sessions" %}
            {%- for days in windows_of(level, source) %}
                union all
                select facts.{{ key }}
                from {{ source }} as facts
                cross join runs
                where
                    (
                        facts.{{ at }} >= {{ add_seconds("runs.former_as_of", -86400 * days - 2) }}
                        and facts.{{ at }} < {{ add_seconds(as_of(), -86400 * days + 2) }}
                    )
                    or (facts.{{ at }} >= runs.former_as_of and facts.{{ at }} < {{ as_of() }})
            {%- endfor %}
        {%- endfor %}
    ),

    touched as (select distinct {{ key }} from causes where {{ key }} is not null)

select {{ key }}, {{ holder_key(key) }} as {{ level }}_key from touched
{%- endmacro %}

{# The windows, in days, that traits of a level ask about a source: the computed ones, and SQL traits that are built in increments and say so
   (meta: within_days). #}
{% macro windows_of(level, source) -%}
    {%- set days = traits_of(level) | selectattr("source", "equalto", source) | map(attribute="within_days") | select | list -%}
    {%- for trait in sql_traits_of(level) if source != "events" -%}
        {%- do days.extend(graph.get("nodes", {}).get("model.sql_traits." ~ trait, {}).get("config", {}).get("meta", {}).get("within_days", [])) -%}
    {%- endfor -%}
    {{ return(days | unique | sort) }}
{%- endmacro %}
