{# A query parameter of an address, decoded for the characters campaign names use (+ and %20, %2B, %26); null where it is absent or empty.
   The name is a literal of ours. Built on extract_group, which differs by engine. #}
{% macro url_parameter(column, name) -%}
    replace(replace(replace(replace({{ extract_group(column, "[?&]" ~ name ~ "=([^&#]*)") }}, '+', ' '), '%20', ' '), '%26', '&'), '%2B', '+')
{%- endmacro %}

{# The host of an address in lower case, without `www.`. #}
{% macro url_host(column) -%} lower({{ extract_group(column, "^[A-Za-z]+://(?:www[.])?([^/:?#]+)") }}) {%- endmacro %}
