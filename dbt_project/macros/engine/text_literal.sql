{# A text of ours or of the configuration as a SQL literal. The one place that quotes.
   Differs by engine: whether a backslash in a literal begins an escape. #}
{% macro text_literal(value) -%} {{ return(adapter.dispatch("text_literal", "tessera")(value)) }} {%- endmacro %}

{% macro default__text_literal(value) -%} {{ return("'" ~ value | replace("'", "''") ~ "'") }} {%- endmacro %}

{% macro spark__text_literal(value) -%}
    {{ return("'" ~ value | replace("\\", "\\\\") | replace("'", "\\'") ~ "'") }}
{%- endmacro %}

{% macro snowflake__text_literal(value) -%} {{ return(tessera.spark__text_literal(value)) }} {%- endmacro %}

{% macro bigquery__text_literal(value) -%} {{ return(tessera.spark__text_literal(value)) }} {%- endmacro %}
