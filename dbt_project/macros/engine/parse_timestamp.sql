{# An ISO 8601 text as a UTC timestamp without zone; null where it is anything else (`infinity`, `epoch`, a number).
   Differs by engine: the safe cast, and what a cast alone would let through. #}
{% macro parse_timestamp(column) -%} {{ adapter.dispatch("parse_timestamp", "tessera")(column) }} {%- endmacro %}

{% macro default__parse_timestamp(column) -%}
    case
        when regexp_matches({{ column }}, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$')
            then try_cast(upper({{ column }}) as timestamptz) at time zone 'UTC'
    end
{%- endmacro %}
