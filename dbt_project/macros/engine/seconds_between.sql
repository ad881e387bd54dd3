{# Seconds from one timestamp to a later one, as a whole number: elapsed time, not calendar boundaries crossed.
   Differs by engine: the name and the rounding of date arithmetic. #}
{% macro seconds_between(earlier, later) -%} {{ adapter.dispatch("seconds_between", "tessera")(earlier, later) }} {%- endmacro %}

{% macro duckdb__seconds_between(earlier, later) -%}
    cast(floor((epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000) as bigint)
{%- endmacro %}

{% macro postgres__seconds_between(earlier, later) -%}
    cast(floor(extract(epoch from ({{ later }} - {{ earlier }}))) as bigint)
{%- endmacro %}

{% macro spark__seconds_between(earlier, later) -%}
    cast(floor(timestampdiff(microsecond, {{ earlier }}, {{ later }}) / 1000000) as bigint)
{%- endmacro %}

{% macro snowflake__seconds_between(earlier, later) -%}
    cast(floor(timestampdiff(microsecond, {{ earlier }}, {{ later }}) / 1000000) as bigint)
{%- endmacro %}

{% macro bigquery__seconds_between(earlier, later) -%}
    cast(floor(timestamp_diff({{ later }}, {{ earlier }}, microsecond) / 1000000) as bigint)
{%- endmacro %}
