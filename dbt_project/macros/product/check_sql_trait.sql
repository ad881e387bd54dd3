{# The contract of a SQL trait, checked when its table has been built (post-hook): two columns, the key and `value`; keys of profiles, or
   accounts; no key missing, none twice; a value of the declared kind. The message names the file and the rows. #}
{% macro check_sql_trait(relation, model) -%}
    {%- set level = "account" if model.original_file_path.startswith("accounts") else "profile" -%}
    {%- set holders = ref("tessera", level ~ "s") -%}
    {%- if execute -%}
        {%- set file = "sql_traits/" ~ model.original_file_path -%}
        {%- set key = level ~ "_id" -%}
        {%- set columns = adapter.get_columns_in_relation(relation) -%}
        {%- set names = columns | map(attribute="name") | map("lower") | list -%}
        {%- if names | sort != [key, "value"] | sort -%}
            {%- do refuse_sql_trait(file, "the columns " ~ (names | join(", ")), "two columns: " ~ key ~ " and value", "select " ~ key ~ ", … as value") -%}
        {%- endif -%}

        {#- A key may lag behind a merge, but not all do: then it is another id, which no message shows, for it may be personal. -#}
        {%- set as_text = "cast(" ~ key ~ " as " ~ dbt.type_string() ~ ")" -%}
        {%- set counts = run_query("select count(*), count(" ~ key ~ ") from " ~ relation).rows[0] -%}
        {%- if counts[1] and not run_query(
            "select 1 from (select " ~ as_text ~ " as trait_key from " ~ relation ~ ") as traits inner join " ~ holders
            ~ " as holders on traits.trait_key = holders." ~ key ~ " limit 1"
        ).rows -%}
            {%- do refuse_sql_trait(
                file, "in " ~ counts[0] ~ (" rows" if counts[0] > 1 else " row") ~ " no " ~ key ~ " that is one of profiles." ~ level ~ "s",
                "the " ~ key ~ " of public tables", "select " ~ key ~ " itself, not another id under its name"
            ) -%}
        {%- endif -%}

        {%- set type = sql_traits_of(level).get(model.name) -%}
        {%- set value = (columns | selectattr("name", "in", ["value", "VALUE"]) | list)[0] -%}
        {%- set kind = kind_of_type(value.dtype | lower) -%}
        {%- set allowed = {"boolean": ["true or false"], "date": ["a date", "a timestamp"], "timestamp": ["a timestamp", "a date"],
            "string": ["text", "a number", "a date", "a timestamp", "true or false"]}.get(type, ["a number"]) -%}
        {%- if kind not in allowed -%}
            {%- do refuse_sql_trait(file, "a value that is " ~ kind, allowed[0] ~ ": dbt_project.yml declares " ~ model.name ~ ": " ~ type, "return " ~ allowed[0] ~ ", or declare another type") -%}
        {%- endif -%}

        {#- Engines round half a number each in their own way. -#}
        {%- if type == "bigint" and not value.is_integer() -%}
            {%- set rows = run_query("select " ~ key ~ ", value from " ~ relation ~ " where value <> floor(value) order by " ~ key ~ " limit 1").rows -%}
            {%- if rows -%}
                {%- do refuse_sql_trait(file, "value " ~ rows[0][1] ~ " of " ~ key ~ " " ~ rows[0][0], "whole numbers: dbt_project.yml declares " ~ model.name ~ ": bigint",
                    "round or floor it, or declare decimal") -%}
            {%- endif -%}
        {%- endif -%}

        {%- set rows = run_query(
            "select " ~ key ~ ", count(*) as row_count from " ~ relation ~ " group by " ~ key ~ " having count(*) > 1 or " ~ key ~ " is null order by case when "
            ~ key ~ " is null then 0 else 1 end, " ~ key ~ " limit 5"
        ).rows -%}
        {%- if rows -%}
            {%- set found = [] -%}
            {%- for row in rows -%}
                {%- do found.append(key ~ " " ~ (row[0] if row[0] is not none else "null") ~ " in " ~ row[1] ~ (" rows" if row[1] > 1 else " row")) -%}
            {%- endfor -%}
            {%- do refuse_sql_trait(
                file, found | join("; ") ~ (" (the first 5)" if rows | length == 5 else ""), "one row for each " ~ key ~ ", none without it",
                "add `where " ~ key ~ " is not null` and `group by " ~ key ~ "`"
            ) -%}
        {%- endif -%}
    {%- endif -%}
    {{ return("") }}
{%- endmacro %}

{# What values of an engine's type are, in words; the type itself where it is none of these. #}
{% macro kind_of_type(dtype) -%}
    {%- set kinds = {
        "(character|char|varchar|text|string)": "text", "bool": "true or false", "date$": "a date", "(timestamp|datetime)": "a timestamp",
        "((u|tiny|small|medium|big|huge)*int(eger|[0-9]+)?$|decimal|numeric|number|double|real|float)": "a number",
    } -%}
    {%- for pattern, kind in kinds.items() if modules.re.match(pattern, dtype) and "[" not in dtype and "<" not in dtype -%}
        {{ return(kind) }}
    {%- endfor -%}
    {{ return("of type " ~ dtype) }}
{%- endmacro %}

{% macro refuse_sql_trait(file, found, allowed, fix) -%}
    {{ exceptions.raise_compiler_error(
        "A SQL trait does not keep its contract.\n  where: " ~ file ~ "\n  found: " ~ found ~ "\n  allowed: " ~ allowed ~ "\n  to do: " ~ fix
    ) }}
{%- endmacro %}
