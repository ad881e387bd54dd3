{# The hash of what a message says, of texts that may be null. Of copies received at the same time the smallest hash stays: the order of files decides nothing. #}
{% macro content_hash(texts) -%}
    {%- set parts = [] -%}
    {%- for text in texts -%} {%- do parts.append("coalesce(" ~ text ~ ", '')") -%} {%- endfor -%}
    {{ text_hash(parts | join(" || '|' || ")) }}
{%- endmacro %}
