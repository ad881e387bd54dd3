{# The contract of a SQL trait, checked when its table has been built (post-hook): two columns, the key and `value`; no key missing, none
   twice; a value of the declared kind. The message names the file and the rows. #}
{% macro check_sql_trait(relation, model) -%}
    {%- if execute -%}
        {%- set file = "sql_traits/" ~ model.original_file_path -%}
        {%- set level = "account" if model.original_file_path.startswith("accounts") else "profile" -%}
        {%- set key = level ~ "_id" -%}
        {%- set columns = adapter.get_columns_in_relation(relation) -%}
        {%- set names = columns | map(attribute="name") | map("lower") | list -%}
        {%- if names | sort != [key, "value"] | sort -%}
            {%- do refuse_sql_trait(file, "the columns " ~ (names | join(", ")), "two columns: " ~ key ~ " and value", "select " ~ key ~ ", … as value") -%}
        {%- endif -%}

        {%- set type = sql_traits_of(level).get(model.name) -%}
        {%- set value = (columns | selectattr("name", "in", ["value", "VALUE"]) | list)[0] -%}
        {%- if type in ("bigint", "decimal", "double") and value.is_string() -%}
            {%- do refuse_sql_trait(file, "a value that is text", "a number: dbt_project.yml declares " ~ model.name ~ ": " ~ type, "return a number, or declare another type") -%}
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

{% macro refuse_sql_trait(file, found, allowed, fix) -%}
    {{ exceptions.raise_compiler_error(
        "A SQL trait does not keep its contract.\n  where: " ~ file ~ "\n  found: " ~ found ~ "\n  allowed: " ~ allowed ~ "\n  to do: " ~ fix
    ) }}
{%- endmacro %}
