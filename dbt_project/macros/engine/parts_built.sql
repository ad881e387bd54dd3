{# The book: the state of the data that each table was last built to; empty while it is being changed. It lies beside the table that counts
   what there is to add to (int_files_counted or int_runs_compared). The same on every engine. #}
{% macro parts_built(counted) -%} {{ return(counted.incorporate(path={"identifier": "int_parts_built"})) }} {%- endmacro %}

{# The model's name in the book: with the hash of its file, so that one that was edited has no former state. #}
{% macro part_name(node) -%} {{ return((node.alias or node.name) ~ " " ~ local_md5(node.raw_code)) }} {%- endmacro %}
