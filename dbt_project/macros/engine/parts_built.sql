{# The book: the state of the data that each table of the stage was last built to; empty while it is being changed.
   The same on every engine. #}
{% macro parts_built() -%} {{ return(this.incorporate(path={"identifier": "int_parts_built"})) }} {%- endmacro %}
