{{ config(materialized="increment", meta={"key": ["combination"], "events_only": true}) }}
-- Distinct first, normalise after: events repeat the same few identifiers thousands of times. A blocked
-- value (`null`, zeros, a test address) becomes null here, so it can join nobody and found no profile.
-- Each column of config/identity.yml is the identifier that was read, and its node; `combination` is the key
-- of what was delivered. `new_event_count` is what the run `run_number` (0: a whole one) added, the last
-- whose events it was on; `first_run_number` is the run that brought its first event.
{%- set is_increment = is_increment("int_files_counted") %}
{%- set columns = config_identity().columns %}
{%- set delivered_columns = [] %}
{%- for column in columns %} {%- do delivered_columns.append("delivered." ~ column.name) %} {%- endfor %}
with
    events as (
        select *
        from {{ ref("int_events_accepted") }}
        {% if is_increment -%}
            where file_id in (select file_id from {{ ref("int_files_counted") }} where is_new)
        {%- endif %}
    ),

    phone_numbers as (
        select phone, phone_e164
        from {{ source("raw", "phone_numbers") }}
        where region = '{{ config_identity().default_region }}'
    ),

    blocked_by_hand as (
        select identifier_type_a as identifier_type, identifier_value_a as identifier_value
        from {{ ref("int_overrides_read") }}
        where action = 'block'
    ),

    delivered as (
        select
            {% for column in columns -%} {{ column.name }}, {% endfor -%}
            min(occurred_at) as first_occurred_at,
            max(occurred_at) as last_occurred_at,
            min(received_at) as first_received_at,
            {{ first_by("event_id", ["received_at", "event_id"]) }} as first_event_id,
            count(*) as event_count
        from events
        group by {% for column in columns %} {{ column.name }}{{ ", " if not loop.last }}{% endfor %}
    ),

    normalised as (
        select
            {{ combination_key(delivered_columns) }} as combination,
            {% for column in columns -%}
                {{ normalised_identifier(column, "delivered." ~ column.name, column.name ~ "_numbers.phone_e164") }}
                as {{ column.name }},
            {% endfor -%}
            delivered.first_event_id,
            delivered.event_count,
            delivered.first_occurred_at,
            delivered.last_occurred_at,
            delivered.first_received_at
        from delivered
        {%- for column in columns if column.normalise == "phone" %}
            left join
                phone_numbers as {{ column.name }}_numbers
                on delivered.{{ column.name }} = {{ column.name }}_numbers.phone
        {%- endfor %}
    ),

    unblocked as (
        select
            normalised.combination,
            {% for column in columns -%}
                case
                    when
                        blocked_{{ column.name }}.identifier_value is null
                        and not {{ is_blocked_identifier(column.type, "normalised." ~ column.name) }}
                    then normalised.{{ column.name }}
                end as {{ column.name }},
            {% endfor -%}
            first_event_id,
            event_count,
            first_occurred_at,
            last_occurred_at,
            first_received_at
        from normalised
        {%- for column in columns %}
            left join
                blocked_by_hand as blocked_{{ column.name }}
                on normalised.{{ column.name }} = blocked_{{ column.name }}.identifier_value
                and blocked_{{ column.name }}.identifier_type = '{{ column.type }}'
        {%- endfor %}
    ),

    -- What one event says twice counts once (as previousId, if it is that too: alias calls count for more).
    told_apart as (
        select
            combination,
            {% for column in columns -%}
                {%- set same = columns[: loop.index0] | selectattr("type", "equalto", column.type) | list %}
                {%- set alias = columns[loop.index :] | selectattr("type", "equalto", column.type) | selectattr("name", "equalto", "previous_id") | list %}
                {%- set same = [] if column.name == "previous_id" else same + alias %}
                {% if not same -%} {{ column.name }},
                {% else -%}
                    case
                        when
                            {% for other in same -%}
                                {{ "and " if not loop.first }}coalesce(
                                    {{ other.name }} <> {{ column.name }}, true
                                )
                            {% endfor -%}
                        then {{ column.name }}
                    end as {{ column.name }},
                {% endif -%}
            {% endfor -%}
            first_event_id,
            event_count,
            first_occurred_at,
            last_occurred_at,
            first_received_at
        from unblocked
    ),

    keyed as (
        select
            combination,
            {% for column in columns -%}
                {{ column.name }},
                case
                    when {{ column.name }} is not null then {{ node_key(column.type, column.name) }}
                end as {{ column.name }}_node,
            {% endfor -%}
            first_event_id,
            event_count,
            first_occurred_at,
            last_occurred_at,
            first_received_at
        from told_apart
    )
{%- if is_increment -%}
        ,

        known as (select * from {{ this }} where combination in (select combination from keyed)),

        runs as (select max(run_number) as run_number from {{ ref("int_files_counted") }}),

        added as (
            select
                keyed.combination,
                {% for column in columns -%}
                    keyed.{{ column.name }}, keyed.{{ column.name }}_node,
                {% endfor -%}
                case
                    when
                        known.first_received_at < keyed.first_received_at
                        or (
                            known.first_received_at = keyed.first_received_at
                            and known.first_event_id < keyed.first_event_id
                        )
                    then known.first_event_id
                    else keyed.first_event_id
                end as first_event_id,
                keyed.event_count + coalesce(known.event_count, 0) as event_count,
                keyed.event_count as new_event_count,
                runs.run_number,
                case
                    when
                        known.first_received_at < keyed.first_received_at
                        or (
                            known.first_received_at = keyed.first_received_at
                            and known.first_event_id < keyed.first_event_id
                        )
                    then known.first_run_number
                    else runs.run_number
                end as first_run_number,
                least(
                    keyed.first_occurred_at, coalesce(known.first_occurred_at, keyed.first_occurred_at)
                ) as first_occurred_at,
                greatest(
                    keyed.last_occurred_at, coalesce(known.last_occurred_at, keyed.last_occurred_at)
                ) as last_occurred_at,
                least(
                    keyed.first_received_at, coalesce(known.first_received_at, keyed.first_received_at)
                ) as first_received_at
            from keyed
            cross join runs
            left join known on keyed.combination = known.combination
        )

    select *
    from added
{%- else %}

    select
        combination,
        {% for column in columns -%} {{ column.name }}, {{ column.name }}_node,
        {% endfor -%}
        first_event_id,
        event_count,
        event_count as new_event_count,
        cast(0 as bigint) as run_number,
        cast(0 as bigint) as first_run_number,
        first_occurred_at,
        last_occurred_at,
        first_received_at
    from keyed
{%- endif %}
