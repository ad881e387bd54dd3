{# The hash of everything but data that identity follows from: the settings, the tracking plan, and the SQL of the stages up to here. #}
{% macro identity_definition() -%}
    {%- set said = [tojson(config_identity()), plan_event(), plan_properties(), plan_breaches("events"),
        var("future_tolerance_hours"), var("earliest_event_date")] -%}
    {%- if execute -%}
        {%- for node in graph.get("nodes", {}).values() | sort(attribute="unique_id")
            if node.resource_type == "model" and node.fqn[1] in ["staging", "events", "identity"] -%}
            {%- do said.append(node.raw_code) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(local_md5(said | join("\n"))) }}
{%- endmacro %}
