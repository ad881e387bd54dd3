-- Who belongs to which audience as of this run. A fixed share of each audience may be held out: by a hash
-- of audience and profile, so that a person keeps the same arm in every run.
with
    {% for audience in config_audiences() -%}
        {{ audience.name }} as (
            select
                '{{ audience.name }}' as audience,
                profile_id,
                '{{ definition_hash(audience.name) }}' as definition_hash,
                cast({{ audience.holdout_percent }} as bigint) as holdout_percent
            from {{ ref("audience_" ~ audience.name) }}
        ),

    {% endfor -%}
    listed as (
        {% for audience in config_audiences() -%}
            select * from {{ audience.name }} {{ "union all" if not loop.last }}
        {% endfor %}
    )

select
    audience,
    profile_id,
    definition_hash,
    case
        when mod({{ hash_integer(text_hash("concat(audience, ':', profile_id)"), 8) }}, 100) < holdout_percent
        then 'holdout'
        else 'treatment'
    end as arm
from listed
