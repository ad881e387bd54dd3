-- Duplicates are removed across all loads by looking only at message ids that occur twice: nearly all
-- occur once.
with
    delivered as (
        select
            message_id,
            type,
            event,
            user_id,
            anonymous_id,
            group_id,
            previous_id,
            name,
            properties,
            traits,
            context,
            timestamp,
            original_timestamp,
            sent_at,
            received_at,
            source_id,
            file_id,
            line_number
        from {{ source("raw", "events") }}
        {% if config_inputs().segment_tables -%}
            union all
            select
                message_id,
                type,
                event,
                user_id,
                anonymous_id,
                group_id,
                previous_id,
                name,
                properties,
                traits,
                context,
                timestamp,
                original_timestamp,
                sent_at,
                received_at,
                source_id,
                file_id,
                line_number
            from {{ ref("stg_segment_tables__events") }}
        {%- endif %}
    ),

    typed as (
        select
            message_id as event_id,
            type,
            case
                when type = 'track'
                then event
                when type = 'page'
                then 'Page Viewed'
                when type = 'screen'
                then 'Screen Viewed'
            end as event,
            {{ json_text("context", ["protocols", "event_version"]) }} as event_version,
            nullif(user_id, '') as user_id,
            nullif(anonymous_id, '') as anonymous_id,
            coalesce(
                nullif(group_id, ''),
                {{ identifier_place({"column": "context", "path": ["groupId"], "when": []}) }}
            ) as group_id,
            {{ contact_found("email") }} as email,
            {{ contact_found("phone") }} as phone,
            {% for column in added_identifier_columns() -%}
                {{ identifier_found(column) if column.places else "nullif(previous_id, '')" }}
                as {{ column.name }},
            {% endfor -%}
            source_id,
            file_id,
            name,
            properties,
            traits,
            context,
            line_number,
            {{ parse_timestamp("timestamp") }} as client_at,
            {{ parse_timestamp("original_timestamp") }} as original_at,
            {{ parse_timestamp("sent_at") }} as sent_at,
            -- The load time never counts: the same lines give the same events whenever they are loaded.
            coalesce(
                {{ parse_timestamp("received_at") }},
                {{ parse_timestamp("sent_at") }},
                {{ parse_timestamp("timestamp") }}
            ) as received_at,
            timestamp is not null and {{ parse_timestamp("timestamp") }} is null as has_unreadable_time
        from delivered
    ),

    -- What had not been received by then does not exist yet.
    received as (select * from typed where received_at is null or received_at <= {{ as_of() }}),

    repeated as (select event_id from received group by event_id having count(*) > 1),

    copies as (
        select
            received.event_id,
            received.file_id,
            received.line_number,
            row_number() over (
                partition by received.event_id
                order by
                    received.received_at nulls last,
                    received.client_at nulls last,
                    received.original_at nulls last,
                    received.sent_at nulls last,
                    {{ content_hash([
                        "received.type", "received.event", "received.user_id", "received.anonymous_id", "received.group_id",
                        "received.name", "received.properties", "received.traits", "received.context",
                        "case when received.has_unreadable_time then 'unreadable' end",
                    ] + added_identifier_columns() | map(attribute="name") | list) }},
                    received.source_id,
                    received.file_id,
                    received.line_number
            ) as copy_number
        from received
        inner join repeated on received.event_id = repeated.event_id
    ),

    later_copies as (select event_id, file_id, line_number from copies where copy_number > 1),

    deduplicated as (
        select received.*
        from received
        left join
            later_copies
            on received.event_id = later_copies.event_id
            and received.file_id = later_copies.file_id
            and received.line_number = later_copies.line_number
        where later_copies.file_id is null
    ),

    -- A client's clock may be wrong: the server's receipt less the delay the client itself measured is
    -- right.
    timed as (
        select
            *,
            coalesce(
                client_at,
                {{ correct_clock("received_at", "sent_at", "original_at") }},
                case when sent_at is null then original_at end,
                received_at
            ) as claimed_at
        from deduplicated
    ),

    flagged as (
        select
            *,
            case
                when has_unreadable_time
                then 'unreadable'
                when claimed_at > {{ add_seconds("received_at", var("future_tolerance_hours") * 3600) }}
                then 'future'
                when claimed_at < cast('{{ var("earliest_event_date") }}' as timestamp)
                then 'too early'
            end as time_problem
        from timed
    ),

    dated as (
        select *, case when time_problem is null then claimed_at else received_at end as occurred_at
        from flagged
    )

-- Names and properties are consolidated as the tracking plan says today; raw keeps what was delivered.
select
    event_id,
    type,
    {{ plan_event() }} as event,
    event as delivered_event,
    event_version,
    user_id,
    anonymous_id,
    group_id,
    email,
    phone,
    {% for column in added_identifier_columns() -%} {{ column.name }}, {% endfor -%}
    source_id,
    file_id,
    name,
    {{ plan_properties() }} as properties,
    traits,
    context,
    time_problem,
    occurred_at,
    received_at,
    original_at,
    sent_at
from dated
