{# The tables that Segment or RudderStack landed in a schema: [{name, relation, columns: [{key, name, type}]}], in the order of their names;
   key is the name in lower case, name the quoted one. The tables of events are those with the columns id and event.
   Compiled without a warehouse (--no-introspect), it is a table of each kind with the columns that all of them have. #}
{% macro landed_tables(place) -%}
    {%- set calls = ["tracks", "identifies", "pages", "screens", "groups", "aliases"] -%}
    {%- set found = [] -%}
    {%- set schema = api.Relation.create(database=place.database or target.database or none, schema=place.schema) -%}
    {%- if not execute -%} {{ return([]) }} {%- endif -%}
    {%- if not flags.INTROSPECT -%}
        {%- for name in calls + ["order_completed"] -%}
            {%- set columns = [] -%}
            {%- for key, type in {
                "id": "varchar", "user_id": "varchar", "anonymous_id": "varchar", "event": "varchar", "event_text": "varchar",
                "received_at": "timestamp", "context_ip": "varchar", "context_page_url": "varchar", "revenue": "float",
                "quantity": "integer", "is_gift": "boolean", "products": "varchar", "due_at": "timestamp", "name": "varchar"
            }.items() -%}
                {%- do columns.append({"key": key, "name": adapter.quote(key), "type": type}) -%}
            {%- endfor -%}
            {%- set relation = api.Relation.create(database=schema.database, schema=schema.schema, identifier=name) -%}
            {%- do found.append({"name": name, "relation": relation, "columns": columns}) -%}
        {%- endfor -%}
        {{ return(found) }}
    {%- endif -%}
    {%- for identifier in landed_table_names(schema) | sort -%}
        {%- set name = identifier | lower -%}
        {%- set relation = api.Relation.create(database=schema.database, schema=schema.schema, identifier=identifier) -%}
        {%- if name not in ["users", "accounts"] and not name.endswith("_view") and not name.startswith("rudder_") -%}
            {%- set columns = [] -%}
            {%- for column in adapter.get_columns_in_relation(relation) -%}
                {%- do columns.append({"key": column.name | lower, "name": adapter.quote(column.name), "type": column.dtype | lower}) -%}
            {%- endfor -%}
            {%- set keys = columns | map(attribute="key") | list -%}
            {%- if "id" in keys and (name in calls or "event" in keys) -%}
                {%- do found.append({"name": name, "relation": relation, "columns": columns}) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not found -%}
        {%- do exceptions.raise_compiler_error(
            "config/inputs.yml names the schema " ~ place.schema ~ ", in which none of the tables " ~ calls | join(", ")
            ~ " was found. Correct the name, give `database`, or let the user of this run read it."
        ) -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}
