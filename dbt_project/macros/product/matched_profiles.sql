{# Rows that carry a user_id and an email, with the profile that holds the user id, else the one that holds the address. #}
{% macro matched_profiles(relation) -%}
    select coalesce(by_user_id.profile_id, by_email.profile_id) as profile_id, said.*
    from {{ relation }} as said
    left join {{ ref("profile_identifiers") }} as by_user_id
        on by_user_id.identifier_type = 'user_id' and said.user_id = by_user_id.identifier_value
    left join {{ ref("profile_identifiers") }} as by_email
        on by_email.identifier_type = 'email' and said.email = by_email.identifier_value
    where coalesce(by_user_id.profile_id, by_email.profile_id) is not null
{%- endmacro %}
