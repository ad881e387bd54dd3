{# The timestamp (UTC) that everything is computed as of: resolved once for a run, handed in as TESSERA_AS_OF. Never the clock. #}
{% macro as_of() -%} cast('{{ env_var("TESSERA_AS_OF") }}' as {{ dbt.type_timestamp() }}) {%- endmacro %}
