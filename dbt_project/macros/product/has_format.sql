{# Whether a text is what a JSON Schema format says: date-time (RFC 3339, with leap days and seconds), date, email (RFC 5321), uri (RFC
   3986, with a scheme), uuid. Built on has_match, which differs by engine. #}
{% macro has_format(text, format) -%}
    {%- set leap_years = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)" -%}
    {%- set days = "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|" ~ leap_years ~ "-02-29)" -%}
    {%- set offset = "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])" -%}
    {%- set octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])" -%}
    {%- set ipv4 = octet ~ "(?:[.]" ~ octet ~ "){3}" -%}
    {%- set group = "[0-9A-Fa-f]{1,4}" -%}
    {%- set tail = "(?:" ~ group ~ ":" ~ group ~ "|" ~ ipv4 ~ ")" -%}
    {%- set ipv6 = "(?:(?:" ~ group ~ ":){6}" ~ tail ~ "|::(?:" ~ group ~ ":){5}" ~ tail ~ "|(?:" ~ group ~ ")?::(?:" ~ group ~ ":){4}" ~ tail
        ~ "|(?:(?:" ~ group ~ ":){0,1}" ~ group ~ ")?::(?:" ~ group ~ ":){3}" ~ tail ~ "|(?:(?:" ~ group ~ ":){0,2}" ~ group ~ ")?::(?:" ~ group ~ ":){2}" ~ tail
        ~ "|(?:(?:" ~ group ~ ":){0,3}" ~ group ~ ")?::" ~ group ~ ":" ~ tail ~ "|(?:(?:" ~ group ~ ":){0,4}" ~ group ~ ")?::" ~ tail
        ~ "|(?:(?:" ~ group ~ ":){0,5}" ~ group ~ ")?::" ~ group ~ "|(?:(?:" ~ group ~ ":){0,6}" ~ group ~ ")?::)" -%}
    {%- if format == "date" -%}
        {{ has_match(text, "^" ~ days ~ "$") }}
    {%- elif format == "date-time" -%}
        case
            when {{ has_match(text, "^" ~ days ~ "[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]+)?" ~ offset ~ "$") }} then true
            when not {{ has_match(text, "^" ~ days ~ "[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:60(?:[.][0-9]+)?" ~ offset ~ "$") }} then false
            when {{ has_match(text, "[Zz]$") }} then {{ has_match(text, "[Tt]23:59:60") }}
            {#- A leap second is the last second of a day in UTC: the minute of the day less the offset is 23:59. -#}
            else
                (
                    1440 + cast(substr({{ text }}, 12, 2) as integer) * 60 + cast(substr({{ text }}, 15, 2) as integer)
                    - (case when {{ has_match(text, "[+].....$") }} then 1 else -1 end)
                    * (cast(substr(right({{ text }}, 5), 1, 2) as integer) * 60 + cast(right({{ text }}, 2) as integer))
                ) % 1440 = 1439
        end
    {%- elif format == "email" -%}
        {%- set atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+" -%}
        {%- set label = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?" -%}
        {{ has_match(text, "^(?:" ~ atom ~ "(?:[.]" ~ atom ~ ")*|\"(?:[^\"\\\\\x00-\x1f\x7f-\U0010ffff]|\\\\[ -~])*\")@(?:" ~ label ~ "(?:[.]" ~ label ~ ")*|\\[(?:" ~ ipv4 ~ "|IPv6:" ~ ipv6 ~ ")\\])$") }}
    {%- elif format == "uri" -%}
        {%- set plain = "[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}" -%}
        {%- set char = "(?:" ~ plain ~ "|[:@])" -%}
        {%- set authority = "(?:(?:" ~ plain ~ "|:)*@)?(?:\\[(?:" ~ ipv6 ~ "|[vV][0-9A-Fa-f]+[.][A-Za-z0-9._~!$&'()*+,;=:-]+)\\]|(?:" ~ plain ~ ")*)(?::[0-9]*)?" -%}
        {{ has_match(text, "^[A-Za-z][A-Za-z0-9+.-]*:(?://" ~ authority ~ "(?:/" ~ char ~ "*)*|/(?:" ~ char ~ "+(?:/" ~ char ~ "*)*)?|" ~ char ~ "+(?:/" ~ char ~ "*)*|)(?:[?](?:" ~ char ~ "|[/?])*)?(?:#(?:" ~ char ~ "|[/?])*)?$") }}
    {%- elif format == "uuid" -%}
        {{ has_match(text, "^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$") }}
    {%- endif -%}
{%- endmacro %}
