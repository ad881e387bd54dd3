{# What the names of a model's work tables begin with.
   Differs by engine: work tables that are no temporary tables need a schema. #}
{% macro work_prefix() -%} {{ return(adapter.dispatch("work_prefix", "tessera")()) }} {%- endmacro %}

{% macro default__work_prefix() -%} {{ return(this.identifier ~ "__") }} {%- endmacro %}

{% macro spark__work_prefix() -%} {{ return(this.schema ~ "." ~ this.identifier ~ "__") }} {%- endmacro %}

{% macro snowflake__work_prefix() -%} {{ return(this.database ~ "." ~ this.schema ~ "." ~ this.identifier ~ "__") }} {%- endmacro %}

{# Backquotes: a project's name may have dashes. #}
{% macro bigquery__work_prefix() -%} {{ return("`" ~ this.database ~ "`." ~ this.schema ~ "." ~ this.identifier ~ "__") }} {%- endmacro %}

{% macro databricks__work_prefix() -%} {{ return(this.database ~ "." ~ this.schema ~ "." ~ this.identifier ~ "__") }} {%- endmacro %}
