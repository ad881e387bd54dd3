{# Of how many periods the starts are measured in every run, and of how many buyers boundaries are frozen at least. #}
{% macro rfm_period_count() -%} {{ return(4) }} {%- endmacro %}

{% macro rfm_buyers_needed() -%} {{ return(100) }} {%- endmacro %}

{# When buyers are measured: as_of (number 0), then the starts of the latest periods of var rfm_boundary_period, newest first, in UTC; then
   the dates of var rfm_migration_dates and the starts of their periods, those after as_of left out.
   `period_at` is the start of the period that the moment lies in: a period's boundaries are those of the buyers known at its start. #}
{% macro rfm_moments() -%}
    {%- set lengths = {"month": 1, "quarter": 3, "year": 12} -%}
    {%- if var("rfm_boundary_period") not in lengths -%}
        {{ exceptions.raise_compiler_error(
            "Boundaries cannot be frozen for such a period.\n  where: vars: rfm_boundary_period in dbt_project/dbt_project.yml\n  found: "
            ~ var("rfm_boundary_period") ~ "\n  allowed: " ~ (lengths.keys() | join(", ")) ~ "\n  to do: choose one of these"
        ) }}
    {%- endif -%}
    {%- if var("rfm_tiles") not in range(2, 11) -%}
        {{ exceptions.raise_compiler_error(
            "Buyers cannot be cut into so many tiles.\n  where: vars: rfm_tiles in dbt_project/dbt_project.yml\n  found: "
            ~ tojson(var("rfm_tiles")) ~ "\n  allowed: a whole number from 2 to 10, 4 or 5 as a rule\n  to do: correct it"
        ) }}
    {%- endif -%}
    {%- set length = lengths[var("rfm_boundary_period")] -%}
    {%- set reached = modules.datetime.datetime.fromisoformat(env_var("TESSERA_AS_OF")) -%}
    {%- set found = [{"at": reached.isoformat(), "period_at": rfm_period_start(reached, length, 0)}] -%}
    {%- for steps in range(rfm_period_count()) -%}
        {%- set at = rfm_period_start(reached, length, steps) -%}
        {%- do found.append({"at": at, "period_at": at}) -%}
    {%- endfor -%}
    {%- set asked = var("rfm_migration_dates") -%}
    {%- for date in ([asked] if asked is string or asked is not iterable else asked) -%}
        {%- if not modules.re.match("[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", date | string) -%}
            {{ exceptions.raise_compiler_error(
                "This is not a date.\n  where: vars: rfm_migration_dates\n  found: " ~ date ~ "\n  allowed: such as 2026-03-15\n  to do: correct it"
            ) }}
        {%- endif -%}
        {%- set day = modules.datetime.datetime.fromisoformat(date | string) -%}
        {%- set start = rfm_period_start(day, length, 0) -%}
        {%- for at in [day.isoformat(), start] if at < reached.isoformat() and at not in found | map(attribute="at") -%}
            {%- do found.append({"at": at, "period_at": start}) -%}
        {%- endfor -%}
        {%- for moment in found if moment.at == day.isoformat() %}{% do moment.update({"is_asked": true}) %}{% endfor -%}
    {%- endfor -%}
    {%- set moments = [] -%}
    {%- for moment in found %}{% do moments.append(dict(moment, number=loop.index0)) %}{% endfor -%}
    {{ return(moments) }}
{%- endmacro %}

{# The start of the period that a moment lies in, or of the one so many periods before. #}
{% macro rfm_period_start(moment, length, steps) -%}
    {%- set month = (moment.year * 12 + moment.month - 1) // length * length - steps * length -%}
    {{ return(modules.datetime.datetime(month // 12, month % 12 + 1, 1).isoformat()) }}
{%- endmacro %}

{# The moments, as rows of `moment`, `measured_at`, `period_at` and whether var rfm_migration_dates asks for it. #}
{% macro rfm_moment_rows() -%}
    {%- for moment in rfm_moments() -%}
        select
            {{ moment.number }} as moment,
            cast('{{ moment.at }}' as {{ dbt.type_timestamp() }}) as measured_at,
            cast('{{ moment.period_at }}' as {{ dbt.type_timestamp() }}) as period_at,
            {{ "true" if moment.is_asked else "false" }} as is_asked
        {{ "union all " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
