{# Whether a normalised identifier is junk that must not join people: empty, a blocked value or a blocked pattern (config/identity.yml). #}
{% macro is_blocked_identifier(type, column) -%}
    {%- set blocked = config_identity().blocked -%}
    (
        lower({{ column }}) in (''{% for value in blocked["values"] %}, {{ text_literal(value | lower) }}{% endfor %})
        {%- if blocked.patterns %}
            or {{ matches(column, blocked.patterns | join("|")) }}
        {%- endif %}
        {%- if type == "email" %}
            or not {{ matches(column, "^[^@ ]+@[^@ ]+[.][^@ ]+$") }}
        {%- endif %}
    )
{%- endmacro %}
