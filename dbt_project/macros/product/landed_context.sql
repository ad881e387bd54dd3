{# The context of a landed table's rows as JSON: context_page_url is page.url again. Names that Segment writes in camelCase get it back;
   traits and consent categories, which are the company's own names, stay in snake_case. #}
{% macro landed_context(columns) -%}
    {%- set own = ["traits", "consent_category_preferences"] -%}
    {%- set parents = [
        "app", "campaign", "device", "library", "location", "network", "os", "page", "protocols", "referrer", "screen", "traits",
        "consent_category_preferences"
    ] -%}
    {%- set outer, inner = [], {} -%}
    {%- for column in columns if column.key.startswith("context_") -%}
        {%- set key = column.key[8:] -%}
        {%- set found = namespace(parent=none) -%}
        {%- for parent in parents if key.startswith(parent ~ "_") -%} {%- set found.parent = parent -%} {%- endfor -%}
        {%- if found.parent -%}
            {%- set rest = key[(found.parent | length) + 1 :] -%}
            {%- do inner.setdefault(found.parent, []).append(
                [rest if found.parent in own + ["campaign", "protocols"] else camel_case(rest), landed_value(column)]
            ) -%}
        {%- else -%}
            {%- do outer.append([camel_case(key), landed_value(column)]) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for parent, entries in inner.items() -%}
        {%- set object = "nullif(" ~ landed_json(entries) ~ ", '{}')" -%}
        {%- if parent == "consent_category_preferences" -%}
            {%- set object = "'{\"categoryPreferences\":' || " ~ object ~ " || '}'" -%}
        {%- endif -%}
        {%- do outer.append([parent.split("_")[0], object]) -%}
    {%- endfor -%}
    {{ landed_json(outer) }}
{%- endmacro %}
