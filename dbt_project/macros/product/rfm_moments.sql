{# When buyers are measured: as_of (number 0), then the starts of the latest periods of var rfm_boundary_period, newest first, in UTC.
   `period_at` is the start of the period that the moment lies in: a period's boundaries are those of the buyers known at its start. #}
{% macro rfm_moments() -%}
    {%- set lengths = {"month": 1, "quarter": 3, "year": 12} -%}
    {%- if var("rfm_boundary_period") not in lengths -%}
        {{ exceptions.raise_compiler_error(
            "Boundaries cannot be frozen for such a period.\n  where: vars: rfm_boundary_period in dbt_project/dbt_project.yml\n  found: "
            ~ var("rfm_boundary_period") ~ "\n  allowed: " ~ (lengths.keys() | join(", ")) ~ "\n  to do: choose one of these"
        ) }}
    {%- endif -%}
    {%- set length = lengths[var("rfm_boundary_period")] -%}
    {%- set reached = modules.datetime.datetime.fromisoformat(env_var("TESSERA_AS_OF")) -%}
    {%- set months = (reached.year * 12 + reached.month - 1) // length * length -%}
    {%- set moments = [] -%}
    {%- for steps in range(4) -%}
        {%- set month = months - steps * length -%}
        {%- set at = modules.datetime.datetime(month // 12, month % 12 + 1, 1).isoformat() -%}
        {%- if loop.first %}{% do moments.append({"number": 0, "at": reached.isoformat(), "period_at": at}) %}{% endif -%}
        {%- do moments.append({"number": steps + 1, "at": at, "period_at": at}) -%}
    {%- endfor -%}
    {{ return(moments) }}
{%- endmacro %}

{# The moments, as rows of `moment`, `measured_at` and `period_at`. #}
{% macro rfm_moment_rows() -%}
    {%- for moment in rfm_moments() -%}
        select
            {{ moment.number }} as moment,
            cast('{{ moment.at }}' as {{ dbt.type_timestamp() }}) as measured_at,
            cast('{{ moment.period_at }}' as {{ dbt.type_timestamp() }}) as period_at
        {{ "union all " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
