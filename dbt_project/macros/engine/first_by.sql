{# Of a group, the value (a text) in the row that comes first by the ordering columns. Rows whose value is null do not count; a null in an
   ordering column comes behind every value; one column alone holds none.
   Differs by engine: arg_min over a row here, an ordered array elsewhere. #}
{% macro first_by(value, order_by) -%} {{ adapter.dispatch("first_by", "tessera")(value, order_by) }} {%- endmacro %}

{# Where the value orders last itself, the smallest row has it: a third cheaper. #}
{% macro duckdb__first_by(value, order_by) -%}
    {%- if value == order_by[-1] -%}
    struct_extract(min(row({{ order_by | join(", ") }})) filter (where {{ value }} is not null), {{ order_by | length }})
    {%- else -%}
    arg_min({{ value }}, {{ order_by[0] if order_by | length == 1 else "row(" ~ order_by | join(", ") ~ ")" }}) filter (where {{ value }} is not null)
    {%- endif -%}
{%- endmacro %}

{% macro postgres__first_by(value, order_by) -%}
    (array_agg({{ value }} order by {{ order_by | join(" nulls last, ") }} nulls last) filter (where {{ value }} is not null))[1]
{%- endmacro %}

{% macro spark__first_by(value, order_by) -%}
    min_by(
        {{ value }}, struct({% for column in order_by %}{{ column }} is null, {{ column }}{{ ", " if not loop.last }}{% endfor %})
    ) filter (where {{ value }} is not null)
{%- endmacro %}

{# Snowflake's min_by orders by one column only. array_agg leaves nulls out. #}
{% macro snowflake__first_by(value, order_by) -%}
    cast(get(array_agg({{ value }}) within group (order by {{ order_by | join(", ") }}), 0) as {{ dbt.type_string() }})
{%- endmacro %}

{% macro bigquery__first_by(value, order_by) -%}
    array_agg({{ value }} ignore nulls order by {{ order_by | join(", ") }} limit 1)[safe_offset(0)]
{%- endmacro %}
