{# The text at a place where a call may name an identifier (config/identity.yml); null where it is absent or empty. A key that the
   JSON does not even mention is not looked for: that costs a tenth of parsing it. The traits of a group call are the group's. #}
{% macro identifier_place(place) -%}
    {%- set last = place.external or place.parameter or (place.path[-1] if place.path else none) -%}
    {%- set text -%}
        {%- if place.external -%} {{ external_id(place.column, place.external) }}
        {%- elif place.parameter -%} {{ url_identifier(json_text(place.column, place.path), place.parameter) }}
        {%- elif place.path -%} {{ json_text(place.column, place.path) }}
        {%- else -%} {{ place.column }}
        {%- endif -%}
    {%- endset -%}
    {%- if last is none -%} nullif({{ text }}, '')
    {%- else -%}
        case
            when
                {{ place.column }} like '%{{ last }}%'
                {%- if place.column == "traits" %}
                    and coalesce(type, '') <> 'group'
                {%- endif %}
                {%- for condition in place.when %}
                    and {{ json_text(condition.column, condition.path) }} = {{ text_literal(condition.value) }}
                {%- endfor %}
                then nullif({{ text }}, '')
        end
    {%- endif -%}
{%- endmacro %}
