{# Whether a text is a date-time as RFC 3339 says, with leap days and leap seconds. `pattern` knows the days of the months and the shape; a
   second 60 is the last of a day in UTC: its minute of the day less the offset is 23:59. #}
{% macro is_date_time(text, pattern) -%}
    case
        when not {{ matches(text, pattern) }} then false
        when not {{ matches(text, "^.{17}60") }} then true
        when {{ matches(text, "[Zz]$") }} then {{ matches(text, "[Tt]23:59:60") }}
        else
            mod(
                1440 + cast(substr({{ text }}, 12, 2) as integer) * 60 + cast(substr({{ text }}, 15, 2) as integer)
                - (case when {{ matches(text, "[+].....$") }} then 1 else -1 end)
                * (cast(substr(right({{ text }}, 5), 1, 2) as integer) * 60 + cast(right({{ text }}, 2) as integer)),
                1440
            ) = 1439
    end
{%- endmacro %}
