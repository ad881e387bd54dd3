{# The one value of a query, read back while a loop runs. The same on every engine. #}
{% macro scalar(sql) -%} {{ return(run_query(sql).columns[0].values()[0]) }} {%- endmacro %}
