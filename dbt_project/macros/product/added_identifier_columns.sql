{# The columns of identity.yml that staging adds to those that every source has. #}
{% macro added_identifier_columns() -%}
    {{ return(config_identity().columns | rejectattr("name", "in", ["user_id", "anonymous_id", "group_id", "email", "phone"]) | list) }}
{%- endmacro %}
