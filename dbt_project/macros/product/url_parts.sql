{# A query parameter of an address, decoded for the characters campaign names use (+ and %20, %2B, %26); null where it is absent or empty.
   The name is a literal of ours. Built on extract_group, which differs by engine. #}
{% macro url_parameter(column, name) -%}
    replace(replace(replace(replace({{ extract_group(column, "[?&]" ~ name ~ "=([^&#]*)") }}, '+', ' '), '%20', ' '), '%26', '&'), '%2B', '+')
{%- endmacro %}

{# An identifier in an address (?ajs_uid=): as url_parameter, decoded for what user ids are made of as well (an e-mail's @; | : / = of
   logins such as auth0|81). Other characters than those of ASCII stay as they are written. #}
{% macro url_identifier(column, name) -%}
    {%- set text = namespace(sql=url_parameter(column, name)) -%}
    {%- for code, character in [("40", "@"), ("7C", "|"), ("7c", "|"), ("3A", ":"), ("3a", ":"), ("2F", "/"), ("2f", "/"),
        ("3D", "="), ("3d", "="), ("2b", "+"), ("25", "%")] -%}
        {%- set text.sql = "replace(" ~ text.sql ~ ", '%" ~ code ~ "', '" ~ character ~ "')" -%}
    {%- endfor -%}
    {{ text.sql }}
{%- endmacro %}

{# The host of an address in lower case, without `www.`. #}
{% macro url_host(column) -%} lower({{ extract_group(column, "^[A-Za-z]+://(?:www[.])?([^/:?#]+)") }}) {%- endmacro %}
