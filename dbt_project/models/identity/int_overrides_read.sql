-- The reviewed lines (seeds/reference/identity_overrides.csv) as identifiers are compared. An EXCLUDE of
-- one identifier alone blocks it.
with
    overrides as (select * from {{ ref("identity_overrides") }}),

    cleaned as (
        select
            trim(id1_type) as identifier_type_a,
            trim(id1) as identifier_value_a,
            nullif(trim(coalesce(id2_type, '')), '') as identifier_type_b,
            nullif(trim(coalesce(id2, '')), '') as identifier_value_b,
            action,
            reason
        from overrides
    )

    {%- set lowered = config_identity().identifiers | selectattr("normalise", "equalto", "lower") | map(attribute="type") | list %}

select distinct
    identifier_type_a,
    {% for side in ["a", "b"] -%}
        {% if side == "b" %} identifier_type_b,{% endif %}
        {% if lowered -%}
            case
                when identifier_type_{{ side }} in ('{{ lowered | join("', '") }}')
                then lower(identifier_value_{{ side }})
                else identifier_value_{{ side }}
            end as identifier_value_{{ side }},
        {% else -%} identifier_value_{{ side }},
        {% endif -%}
    {% endfor -%}
    case
        when action = 'INCLUDE' then 'include' when identifier_type_b is null then 'block' else 'apart'
    end as action,
    reason
from cleaned
