{# A column of a landed table as a JSON value (text); null stays null. Numbers and booleans keep their type, a time is a date-time in UTC,
   the text of an array is the array that it was before it was landed. #}
{% macro landed_value(column) -%}
    {%- set text -%} cast({{ column.name }} as {{ dbt.type_string() }}) {%- endset -%}
    {%- if modules.re.match("(u?(tiny|small|medium|big|huge)?int|integer|long|short|byteint|number|numeric|decimal|bignumeric|bool)", column.type) -%}
        lower({{ text }})
    {%- elif modules.re.match("(float|double|real)", column.type) -%}
        case when lower({{ text }}) not in ('nan', 'inf', '-inf', 'infinity', '-infinity') then {{ text }} end
    {%- elif modules.re.match("(json|variant|super|object)", column.type) -%}
        {{ text }}
    {%- elif modules.re.match("(timestamp|datetime)", column.type) -%}
        {{ json_string(timestamp_text(parse_timestamp(landed_time(column)))) }}
    {%- else -%}
        case when {{ is_json_list(text) }} then {{ text }} else {{ json_string(text) }} end
    {%- endif -%}
{%- endmacro %}
