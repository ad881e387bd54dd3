-- What was said about a person, one row a call and field (config/profiles.yml), and what the domains of the
-- person's addresses say.
with
    events as (select * from {{ ref("profile_events") }} where profile_id is not null),

    described as {{ materialized() }} (
        select
            event_id,
            profile_id,
            type,
            event,
            source_id,
            {% for field in config_profiles().fields -%}
                coalesce(
                    {%- for key in field["keys"] %}
                        {%- set text = "trim(" ~ json_text("properties" if field.event else "traits", key.split(".")) ~ ")" %}
                        case when substr({{ text }}, 1, 1) <> '{' then nullif({{ text }}, '') end,
                    {%- endfor %}
                    null
                ) as field_{{ field.name }},
            {% endfor -%}
            occurred_at
        from events
        where
            type = 'identify'
            {%- for name in config_profiles().fields | map(attribute="event") | select | unique %}
                or event = {{ text_literal(name) }}
            {%- endfor %}
    ),

    domains as (
        select distinct profile_id, {{ extract_group("identifier_value", "@(.+)$") }} as domain
        from {{ ref("profile_identifiers") }}
        where profile_id is not null and identifier_type = 'email'
    ),

    companies as (select * from {{ ref("company_domains") }})

{% for field in config_profiles().fields -%}
    select
        event_id,
        profile_id,
        '{{ field.name }}' as field,
        cast(field_{{ field.name }} as {{ dbt.type_string() }}) as value,
        source_id,
        occurred_at
    from described
    where
        field_{{ field.name }} is not null
        and {{ "event = " ~ text_literal(field.event) if field.event else "type = 'identify'" }}
    union all
{% endfor %}
select
    cast(null as {{ dbt.type_string() }}) as event_id,
    domains.profile_id,
    companies.field,
    companies.value,
    'company_domains' as source_id,
    cast(null as {{ dbt.type_timestamp() }}) as occurred_at
from domains
inner join companies on domains.domain = companies.domain
