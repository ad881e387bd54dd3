{# A text as a JSON string, quoted and escaped; null stays null. Differs by engine: the function's name and result. #}
{% macro json_string(expression) -%} {{ adapter.dispatch("json_string", "tessera")(expression) }} {%- endmacro %}

{% macro default__json_string(expression) -%} cast(to_json({{ expression }}) as {{ dbt.type_string() }}) {%- endmacro %}

{# to_json of a struct is the only form Spark has: take the string out of {"v":"…"}. #}
{% macro spark__json_string(expression) -%}
    case
        when {{ expression }} is not null
            then substring(to_json(named_struct('v', {{ expression }})), 6, length(to_json(named_struct('v', {{ expression }}))) - 6)
    end
{%- endmacro %}

{% macro snowflake__json_string(expression) -%} to_json(to_variant({{ expression }})) {%- endmacro %}

{# BigQuery writes null as the text `null`. #}
{% macro bigquery__json_string(expression) -%}
    case when {{ expression }} is not null then to_json_string({{ expression }}) end
{%- endmacro %}
