{{ config(materialized="increment", meta={"key": ["combination", "event_id"]}) }}
-- An event belongs to the profile that holds its own strongest identifier. If several people use that
-- identifier (it is shared, or some of its evidence was refused), the event belongs to the login on it that
-- is nearest in time, an event that carries it with a stronger one; failing that to the holder, else to
-- nobody. A reviewed line that keeps the login apart from that identifier holds here as well. An increment
-- adds new events and replaces those that change hands: `run_number` is the run that did (0: a whole one),
-- `former_profile_id` whose they were until then.
{%- set columns = config_identity().columns %}
{%- set window = config_identity().login_window_minutes %}
{%- set is_increment = is_increment("int_identifiers_touched", also=["int_identifiers_observed"]) %}
with
    {% if is_increment -%}
        -- Whose group is another, and who is on a new event: a login that was seen before counts as well.
        touched as (
            select node
            from {{ ref("int_identifiers_touched") }}
            union all
            select node
            from {{ ref("int_identifiers_observed") }} {{ where_new(is_increment) }}
        ),

        -- Logins of somebody who was touched count on weaker identifiers that others use as well.
        touched_sides as (
            select node
            from touched
            union all
            select node_b
            from {{ ref("int_identifiers_linked") }}
            where node_a in (select node from touched)
        ),

    {%- endif %}

    holders as (select node, component, profile_id from {{ ref("int_identifiers_resolved") }}),

    refused as (
        select linked.node_a, linked.node_b
        from {{ ref("int_identifiers_linked") }} as linked
        inner join holders as x on linked.node_a = x.node
        inner join holders as y on linked.node_b = y.node
        where
            (x.component is null or y.component is null or x.component <> y.component)
            {%- if is_increment %}
                and (
                    linked.node_a in (select node from touched_sides)
                    or linked.node_b in (select node from touched_sides)
                )
            {%- endif %}
    ),

    contested_sides as (
        select node_a as node
        from refused
        union all
        select node_b as node
        from refused
    ),

    contested as (select distinct node from contested_sides),

    {% if is_increment -%}
        -- Whose profile is another than before, and what is on evidence with it: it may be disputed no more.
        moved as (select node from {{ ref("int_identifiers_resolved") }} {{ where_new(is_increment) }}),

        moved_links as (
            select node_a, node_b
            from {{ ref("int_identifiers_linked") }}
            where node_a in (select node from moved) or node_b in (select node from moved)
        ),

        -- What several people use, and of which something is new.
        disputed_anew as (select node from contested where node in (select node from touched_sides)),

        resolving_nodes as (
            select node
            from moved
            union all
            select node_a
            from moved_links
            union all
            select node_b
            from moved_links
            union all
            select node
            from disputed_anew
        ),

        resolving as (
            select combination
            from {{ ref("int_identifiers_collected") }}
            where
                coalesce(
                    {% for column in columns %}{{ column.name }}_node{{ ", " if not loop.last }}{% endfor %}
                )
                in (select node from resolving_nodes)
        ),

        -- With the logins on what is disputed.
        reading as (
            select combination
            from resolving
            {%- for column in columns[1:] %}
                union all
                select combination
                from {{ ref("int_identifiers_collected") }}
                where {{ column.name }}_node in (select node from disputed_anew)
            {%- endfor %}
        ),

        collected as (
            select *
            from
                {{ ref("int_identifiers_collected") }}
                {{ where_new(is_increment) }} or combination in (select combination from reading)
        ),

        events as (
            select
                event_id,
                {{ combination_key(columns | map(attribute="name") | list) }} as combination,
                cast(null as {{ dbt.type_string() }}) as former_profile_id,
                true as is_new,
                occurred_at
            from {{ ref("int_events_accepted") }}
            where file_id in (select file_id from {{ ref("int_files_counted") }} where is_new)
            union all
            select event_id, combination, profile_id, false, occurred_at
            from {{ this }}
            where combination in (select combination from reading)
        ),
    {%- else -%}
        collected as (select * from {{ ref("int_identifiers_collected") }}),

        events as (
            select
                event_id,
                {{ combination_key(columns | map(attribute="name") | list) }} as combination,
                occurred_at
            from {{ ref("int_events_accepted") }}
        ),
    {%- endif %}

    strongest as (
        select
            combination,
            {% for column in columns -%} {{ column.name }}_node, {% endfor -%}
            coalesce(
                {% for column in columns %}{{ column.name }}_node{{ ", " if not loop.last }}{% endfor %}
            ) as node
        from collected
    ),

    resolved as (
        select strongest.*, holders.profile_id, contested.node is not null as is_contested
        from strongest
        inner join holders on strongest.node = holders.node
        left join contested on strongest.node = contested.node
    ),

    asking as (
        select
            combination,
            node,
            cast(null as {{ dbt.type_string() }}) as profile_id,
            60 * case
                when profile_id is null then {{ window.shared }} else {{ window.contested }}
            end as window_seconds
        from resolved
        where is_contested
    ),

    -- Whose profile must not hold an identifier, by a reviewed line.
    kept_apart as (
        select overrides.node_b as node, holders.profile_id
        from {{ ref("int_overrides_applied") }} as overrides
        inner join holders on overrides.node_a = holders.node
        where overrides.action = 'apart'
        union all
        select overrides.node_a, holders.profile_id
        from {{ ref("int_overrides_applied") }} as overrides
        inner join holders on overrides.node_b = holders.node
        where overrides.action = 'apart'
    ),

    logging_in as (
        {%- for column in columns[1:] %}
            select resolved.combination, resolved.{{ column.name }}_node as node, resolved.profile_id
            from resolved
            inner join contested on resolved.{{ column.name }}_node = contested.node
            left join
                kept_apart
                on resolved.{{ column.name }}_node = kept_apart.node
                and resolved.profile_id = kept_apart.profile_id
            where
                resolved.profile_id is not null
                and kept_apart.node is null
                and (
                    {% set ns = namespace(some=false) %}
                    {%- for other in columns if other.priority < column.priority %}
                        {{ " or " if ns.some }}resolved.{{ other.name }}_node
                        is not null{% set ns.some = true %}
                    {% endfor %}
                    {%- if not ns.some %} 1 = 0{% endif %}
                )
                {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    disputed as (
        select combination, node, profile_id, 0 as is_login, window_seconds
        from asking
        union all
        select combination, node, profile_id, 1 as is_login, 0 as window_seconds
        from logging_in
    ),

    disputed_events as (
        select
            events.event_id,
            disputed.node,
            disputed.profile_id,
            disputed.is_login,
            disputed.window_seconds,
            events.occurred_at
        from events
        inner join disputed on events.combination = disputed.combination
    ),

    neighbours as (
        select
            *,
            max(case when is_login = 1 then occurred_at end) over (
                partition by node order by occurred_at
            ) as previous_at,
            min(case when is_login = 1 then occurred_at end) over (
                partition by node order by occurred_at desc nulls last
            ) as next_at
        from disputed_events
    ),

    near as (
        select
            event_id,
            node,
            occurred_at,
            case
                when previous_at >= {{ add_seconds("occurred_at", "-window_seconds") }} then previous_at
            end as previous_at,
            case
                when next_at <= {{ add_seconds("occurred_at", "window_seconds") }} then next_at
            end as next_at
        from neighbours
        where is_login = 0 and window_seconds > 0
    ),

    nearest as (
        select
            event_id,
            node,
            case
                when previous_at is null
                then next_at
                when
                    next_at is null
                    or occurred_at <= {{ correct_clock("next_at", "occurred_at", "previous_at") }}
                then previous_at
                else next_at
            end as login_at
        from near
    ),

    logins as (
        select node, occurred_at as login_at, {{ first_by("profile_id", ["event_id"]) }} as profile_id
        from disputed_events
        where is_login = 1
        group by node, occurred_at
    ),

    told as (
        select nearest.event_id, logins.profile_id
        from nearest
        inner join logins on nearest.node = logins.node and nearest.login_at = logins.login_at
    )
{%- if is_increment -%}
        ,

        settled as (
            select events.*, coalesce(told.profile_id, resolved.profile_id) as profile_id
            from events
            left join resolved on events.combination = resolved.combination
            left join told on events.event_id = told.event_id
            where events.is_new or events.combination in (select combination from resolving)
        ),

        runs as (select max(run_number) as run_number from {{ ref("int_files_counted") }})

    select
        settled.event_id,
        settled.combination,
        settled.profile_id,
        settled.former_profile_id,
        runs.run_number,
        settled.occurred_at
    from settled
    cross join runs
    where settled.is_new or coalesce(settled.profile_id, '') <> coalesce(settled.former_profile_id, '')
{%- else %}

    select
        events.event_id,
        events.combination,
        coalesce(told.profile_id, resolved.profile_id) as profile_id,
        cast(null as {{ dbt.type_string() }}) as former_profile_id,
        cast(0 as bigint) as run_number,
        events.occurred_at
    from events
    left join resolved on events.combination = resolved.combination
    left join told on events.event_id = told.event_id
{%- endif %}
