{# An identifier as it is compared: trimmed, of an e-mail in lower case; of a phone the joined number in E.164 (config/identity.yml). #}
{% macro normalised_identifier(column, delivered, phone_number) -%}
    {%- if column.normalise == "phone" %}{{ phone_number }}
    {%- elif column.normalise == "lower" %}lower(trim({{ delivered }}))
    {%- else %}trim({{ delivered }}){%- endif -%}
{%- endmacro %}
