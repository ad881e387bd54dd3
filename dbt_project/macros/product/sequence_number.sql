{# A number that orders rows by a time and, within a second, by further columns: seconds since 1970 × 1,000,000 + the place within the
   second. Unlike a row number it needs no window over all rows, and stays what it is when rows are added later. #}
{% macro sequence_number(at, ties) -%}
    {%- set second = seconds_between("cast('1970-01-01' as timestamp)", at) -%}
    {{ second }} * 1000000 + cast(row_number() over (partition by {{ second }} order by {{ at }}, {{ ties | join(", ") }}) as bigint)
{%- endmacro %}
