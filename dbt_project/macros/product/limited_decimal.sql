{# A number as decimal(18, 4), limited to the largest that the type holds: a cast alone would stop the run, and anybody who may send events
   could send amounts whose sum is too large. #}
{% macro limited_decimal(number) -%}
    {%- set largest -%} cast('99999999999999.9999' as {{ type_decimal() }}) {%- endset -%}
    {%- set smallest -%} cast('-99999999999999.9999' as {{ type_decimal() }}) {%- endset -%}
    case
        when {{ number }} >= {{ largest }} then {{ largest }}
        when {{ number }} <= {{ smallest }} then {{ smallest }}
        else cast({{ number }} as {{ type_decimal() }})
    end
{%- endmacro %}
