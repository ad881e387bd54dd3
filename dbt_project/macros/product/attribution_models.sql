{# The attribution models, as rows of a column `model`. #}
{% macro attribution_models() -%}
    {%- for model in ["first", "last", "linear"] -%}
        select '{{ model }}' as model{{ " union all " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
