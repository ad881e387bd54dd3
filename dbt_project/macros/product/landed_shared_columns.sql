{# The columns that every landed table of calls may have beside context_*; all others are the event's own. #}
{% macro landed_shared_columns() -%}
    {{ return([
        'id', 'user_id', 'anonymous_id', 'event', 'event_text', 'timestamp', 'original_timestamp', 'sent_at', 'received_at',
        'uuid', 'uuid_ts', 'loaded_at', 'rudder_id'
    ]) }}
{%- endmacro %}
