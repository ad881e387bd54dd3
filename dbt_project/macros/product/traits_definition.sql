{# The hash of everything but data that traits follow from: what config/traits.yml compiles to (without the as-of time, which int_runs_compared
   compares by itself), the settings, and the SQL of the stages profiles and traits. #}
{% macro traits_definition() -%}
    {%- set said = [compute_traits("profile"), compute_traits("account"), tojson(event_properties()), tojson(sql_traits_of("profile")),
        tojson(sql_traits_of("account")), tojson(config_traits().no_history), var("session_timeout_minutes"), var("reporting_time_zone")] -%}
    {%- if execute -%}
        {%- for node in graph.get("nodes", {}).values() | sort(attribute="unique_id")
            if node.resource_type == "model" and node.fqn[1] in ["profiles", "traits"] -%}
            {%- do said.append(node.raw_code) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(local_md5((said | join("\n")).replace(as_of(), "as_of"))) }}
{%- endmacro %}
