-- Segment and RudderStack flatten a call into columns; here the columns become the call again, so that all
-- that follows reads one shape. The tables of events hold the properties, tracks what they do not hold yet.
{{ config(enabled=config_inputs().segment_tables | length > 0) }}
{% set types = {
    "identifies": "identify",
    "pages": "page",
    "screens": "screen",
    "groups": "group",
    "aliases": "alias",
} %}
{% set shared = landed_shared_columns() %}
{% set selects, event_ids = [], [] %}
{% for place in config_inputs().segment_tables %}
    {% set tables = landed_tables(place) %}
    {% for table in tables %}
        {% set type = types.get(table.name, "track") %}
        {% set columns = {} %}
        {% for column in table.columns %} {% do columns.update({column.key: column}) %} {% endfor %}
        {% set own = [] %}
        {% for key, column in columns.items() if key not in shared and not key.startswith("context_") %}
            {% if not (type == "group" and key == "group_id" or type == "alias" and key == "previous_id") %}
                {% do own.append([key, landed_value(column)]) %}
            {% endif %}
        {% endfor %}
        {% set call -%}
            select
                {{ landed_text(columns, "id") }} as message_id,
                '{{ type }}' as type,
                {% if type == "track" -%}
                    coalesce({{ landed_text(columns, "event_text") }}, {{ landed_text(columns, "event") }})
                {%- else -%} {{ landed_text({}, "event") }}
                {%- endif %} as event,
                {% for key in ["user_id", "anonymous_id", "group_id", "previous_id", "name"] -%}
                    {{ landed_text(columns if key in shared or key == "name" or type in ["group", "alias"] else {}, key) }} as {{ key }},
                {% endfor -%}
                {{ landed_json(own if type in ["track", "page", "screen"] else []) }} as properties,
                {{ landed_json(own if type in ["identify", "group"] else []) }} as traits,
                {{ landed_context(table.columns) }} as context,
                {% for key in ["timestamp", "original_timestamp", "sent_at", "received_at"] -%}
                    {% if key in columns -%} {{ landed_time(columns[key]) }}
                    {%- else -%} {{ landed_text({}, key) }}
                    {%- endif %} as {{ key }},
                {% endfor -%}
                {{ text_literal(place.source or place.schema) }} as source_id,
                {{ text_literal("table " ~ place.schema ~ "." ~ table.name) }} as file_id
            from {{ table.relation }} as landed
        {%- endset %}
        {% if table.name == "tracks" %}
            {% set calls_of_events = [] %}
            {% for other in tables if other.name != "tracks" and other.name not in types %}
                {% for column in other.columns if column.key == "id" %}
                    {% do calls_of_events.append(
                        "select " ~ column.name ~ " as id from " ~ other.relation
                    ) %}
                {% endfor %}
            {% endfor %}
            {% if calls_of_events %}
                {% set call = (
                    call
                    ~ " where not exists (select 1 from ("
                    ~ calls_of_events | join(" union all ")
                    ~ ") as stored where stored.id = landed."
                    ~ columns.id.name
                    ~ ")"
                ) %}
            {% endif %}
        {% endif %}
        {% do selects.append(call) %}
    {% endfor %}
{% endfor %}

with
    calls as ({% for call in selects -%}{{ call }} {{ "union all" if not loop.last }} {% endfor %}),

    hashed as (
        select
            *,
            {{
                content_hash(
                    [
                        "message_id", "type", "event", "user_id", "anonymous_id", "group_id", "previous_id", "name",
                        "properties", "traits", "context", "timestamp", "original_timestamp", "sent_at", "received_at",
                    ]
                )
            }}
            as content_hash
        from calls
    )

-- A table may hold a call twice; the number tells the copies apart, as a line number does in a file.
select
    coalesce(nullif(message_id, ''), content_hash) as message_id,
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
    cast(row_number() over (partition by file_id, message_id order by content_hash) as bigint) as line_number
from hashed
