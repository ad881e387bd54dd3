{# Of a group, the value (a text) in the row that comes last by the ordering columns. Rows whose value is null do not count; a null in an
   ordering column comes behind every value, as in first_by; one column alone holds none.
   Differs by engine: arg_max over a row here, an ordered array elsewhere. #}
{% macro last_by(value, order_by) -%} {{ adapter.dispatch("last_by", "tessera")(value, order_by) }} {%- endmacro %}

{% macro duckdb__last_by(value, order_by) -%}
    arg_max({{ value }}, {{ order_by[0] if order_by | length == 1 else "row(" ~ order_by | join(", ") ~ ")" }}) filter (where {{ value }} is not null)
{%- endmacro %}

{% macro postgres__last_by(value, order_by) -%}
    (array_agg({{ value }} order by {{ order_by | join(" desc nulls first, ") }} desc nulls first) filter (where {{ value }} is not null))[1]
{%- endmacro %}

{% macro spark__last_by(value, order_by) -%}
    max_by(
        {{ value }}, struct({% for column in order_by %}{{ column }} is null, {{ column }}{{ ", " if not loop.last }}{% endfor %})
    ) filter (where {{ value }} is not null)
{%- endmacro %}

{# Snowflake's max_by orders by one column only. array_agg leaves nulls out. #}
{% macro snowflake__last_by(value, order_by) -%}
    cast(get(array_agg({{ value }}) within group (order by {{ order_by | join(" desc, ") }} desc), 0) as {{ dbt.type_string() }})
{%- endmacro %}

{% macro bigquery__last_by(value, order_by) -%}
    array_agg({{ value }} ignore nulls order by {{ order_by | join(" desc, ") }} desc limit 1)[safe_offset(0)]
{%- endmacro %}
