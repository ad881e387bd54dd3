{# The incremental strategy of a log that is only appended to. Differs by engine: BigQuery calls it a merge without a key. #}
{% macro append_strategy() -%} {{ return(adapter.dispatch("append_strategy", "tessera")()) }} {%- endmacro %}

{% macro default__append_strategy() -%} {{ return("append") }} {%- endmacro %}

{% macro bigquery__append_strategy() -%} {{ return("merge") }} {%- endmacro %}
