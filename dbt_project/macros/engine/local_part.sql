{# The hour (0 to 23) or the weekday (1 = Monday) of a UTC timestamp in the reporting time zone, as a whole number.
   Differs by engine: the conversion between time zones, the name of the weekday. #}
{% macro local_part(timestamp, part) -%} {{ adapter.dispatch("local_part", "tessera")(timestamp, part) }} {%- endmacro %}

{% macro default__local_part(timestamp, part) -%}
    {#- In UTC nothing has to be converted, which costs as much as all traits of visits. -#}
    {%- set zone = var("reporting_time_zone") -%}
    {%- set there = timestamp if zone == "UTC" else timestamp ~ " at time zone 'UTC' at time zone '" ~ zone ~ "'" -%}
    cast(extract({{ "isodow" if part == "weekday" else part }} from {{ there }}) as bigint)
{%- endmacro %}

{% macro spark__local_part(timestamp, part) -%}
    cast({{ "1 + " if part == "weekday" }}{{ part }}(convert_timezone('UTC', '{{ var("reporting_time_zone") }}', {{ timestamp }})) as bigint)
{%- endmacro %}

{% macro snowflake__local_part(timestamp, part) -%}
    {{ "dayofweekiso" if part == "weekday" else part }}(convert_timezone('UTC', '{{ var("reporting_time_zone") }}', {{ timestamp }}))
{%- endmacro %}

{% macro bigquery__local_part(timestamp, part) -%}
    {%- if part == "weekday" -%}
        1 + mod(extract(dayofweek from {{ timestamp }} at time zone '{{ var("reporting_time_zone") }}') + 5, 7)
    {%- else -%}
        extract({{ part }} from {{ timestamp }} at time zone '{{ var("reporting_time_zone") }}')
    {%- endif -%}
{%- endmacro %}
