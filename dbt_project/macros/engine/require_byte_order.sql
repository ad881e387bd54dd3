{# Raise where texts are not sorted by their bytes, as `order by`, min and max of a text would then choose other rows than on the other
   engines. Called once, before anything runs. Differs by engine: only PostgreSQL lets a database sort by the rules of a language. #}
{% macro require_byte_order() -%} {{ adapter.dispatch("require_byte_order", "tessera")() }} {%- endmacro %}

{% macro default__require_byte_order() -%} {%- endmacro %}

{% macro postgres__require_byte_order() -%}
    {%- if execute -%}
        {%- set found = run_query(
            "select ('B' < 'a' and 'a b' < 'a-a' and 'aa' < 'é' and getdatabaseencoding() = 'UTF8'), "
            ~ "getdatabaseencoding() || ', ' || datcollate from pg_database where datname = current_database()"
        ).rows[0] -%}
        {%- if not found[0] -%}
            {{ exceptions.raise_compiler_error(
                "The database does not sort texts by their bytes, so results would differ from other engines.\n  where: database "
                ~ target.dbname ~ " on " ~ target.host ~ "\n  found: encoding and collation " ~ found[1] ~ "\n  allowed: UTF8 with the collation C or C.UTF-8\n  to do: "
                ~ "create database <name> template template0 encoding 'UTF8' locale 'C'; then set TESSERA_POSTGRES_DATABASE to it"
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
