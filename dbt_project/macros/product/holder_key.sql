{# A profile's or an account's id as an engine-local number, by which facts are counted: grouping by it costs half of grouping by text. #}
{% macro holder_key(id) -%} {{ node_key("holder", id) }} {%- endmacro %}
