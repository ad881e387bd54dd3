{# A trait's property as the source holds it: {sql, is_number}, of an event's JSON {object, path}. Paths and columns were checked when
   config/traits.yml was compiled. #}
{% macro trait_property(source, property) -%}
    {%- set at = {"events": "occurred_at", "orders": "ordered_at", "sessions": "started_at"}[source] -%}
    {%- set numbers = ["revenue", "refunded", "net_revenue", "event_count", "page_view_count"] -%}
    {%- set path = property.split(".") -%}
    {%- if path[0] == "at" -%} {{ return({"sql": local_part(at, path[1]), "is_number": true}) }}
    {%- elif source == "events" -%}
        {%- set object = path[0] if path | length > 1 and path[0] in ("properties", "context", "traits") else none -%}
        {{ return({"object": object or "properties", "path": path[1:] if object else path, "is_number": false}) }}
    {%- elif property == "net_revenue" -%} {{ return({"sql": "revenue - refunded", "is_number": true}) }}
    {%- elif property in numbers -%} {{ return({"sql": property, "is_number": true}) }}
    {%- else -%} {{ return({"sql": "nullif(cast(" ~ property ~ " as " ~ dbt.type_string() ~ "), '')", "is_number": false}) }}
    {%- endif -%}
{%- endmacro %}

{# The properties that traits of one source read, each once: property → {alias, is_number, events, …}, the events those whose traits read it. #}
{% macro trait_properties(source, traits) -%}
    {%- set found = {} -%}
    {%- for trait in traits -%}
        {%- for property in [trait.property] + trait.where | map(attribute="property") | list if property -%}
            {%- if property not in found -%}
                {%- set alias = "property_" ~ (found | length + 1) ~ "_" ~ modules.re.sub("[^a-z0-9]+", "_", property | lower)[:40] -%}
                {%- do found.update({property: dict(trait_property(source, property), alias=alias, events=[])}) -%}
            {%- endif -%}
            {%- if trait.event not in found[property].events %}{% do found[property].events.append(trait.event) %}{% endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{# What the traits of every level ask of events: the properties; the paths by JSON object; whether an event is one that a trait asks about. #}
{% macro event_properties() -%}
    {{ return(trait_properties("events", config_traits().traits | selectattr("source", "equalto", "events") | list)) }}
{%- endmacro %}

{% macro event_objects() -%}
    {%- set found = {} -%}
    {%- for property in event_properties().values() if property.object -%}
        {%- do found.update({property.object: found.get(property.object, []) + [property.path]}) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{% macro is_trait_event(column) -%}
    {{ is_one_of(column, config_traits().traits | selectattr("source", "equalto", "events") | map(attribute="event") | unique | list) }}
{%- endmacro %}

{% macro is_one_of(column, names) -%}
    {%- if names -%} {{ column }} in ({% for name in names %}{{ text_literal(name) }}{{ ", " if not loop.last }}{% endfor %})
    {%- else -%} false
    {%- endif -%}
{%- endmacro %}

{# One of these properties, below json_opened: null where the text is empty, or the event is one whose traits do not ask for it. #}
{% macro event_property(property, objects) -%}
    {%- if property.object -%}
        case
            when {{ is_one_of("event", property.events) }}
            then nullif({{ json_item("opened_" ~ property.object, objects[property.object], property.path) }}, '')
        end
    {%- else -%} {{ property.sql }}
    {%- endif -%}
{%- endmacro %}

{# A property's value as text; and as a number, null where it is none. #}
{% macro trait_value_text(property) -%}
    {%- if property.is_number -%} cast({{ property.alias }} as {{ dbt.type_string() }}) {%- else -%} {{ property.alias }} {%- endif -%}
{%- endmacro %}

{% macro trait_value_number(property) -%}
    {%- if property.is_number -%} {{ property.alias }} {%- else -%} {{ parse_decimal(property.alias) }} {%- endif -%}
{%- endmacro %}

{# Whether a fact counts for a trait: its event, its window (half-open), its conditions. #}
{% macro trait_applies(trait, properties) -%}
    {%- set conditions = [] -%}
    {%- if trait.event %}{% do conditions.append("event = " ~ text_literal(trait.event)) %}{% endif -%}
    {%- if trait.within_days -%}
        {%- do conditions.append("happened_at >= " ~ add_seconds(as_of(), -86400 * trait.within_days) ~ " and happened_at < " ~ as_of()) -%}
    {%- endif -%}
    {%- for condition in trait.where -%}
        {%- do conditions.append(trait_condition(properties[condition.property], condition.operator, condition.value)) -%}
    {%- endfor -%}
    {{ return(conditions | join(" and ") or "true") }}
{%- endmacro %}

{# One of the sixteen operators. A comparison with null is null, which counts as not held. #}
{% macro trait_condition(property, operator, value) -%}
    {%- set text = trait_value_text(property) -%}
    {%- set signs = {"equals": "=", "not_equals": "<>", "less_than": "<", "less_or_equal": "<=", "greater_than": ">", "greater_or_equal": ">="} -%}
    {%- if operator == "exists" -%} {{ return(property.alias ~ " is not null") }}
    {%- elif operator == "not_exists" -%} {{ return(property.alias ~ " is null") }}
    {%- elif operator in signs -%}
        {{ return(trait_value_number(property) ~ " " ~ signs[operator] ~ " " ~ value if value is number
            else text ~ " " ~ signs[operator] ~ " " ~ text_literal(value)) }}
    {%- elif operator == "contains" -%} {{ return(dbt.position(text_literal(value), text) ~ " > 0") }}
    {%- elif operator == "not_contains" -%} {{ return(dbt.position(text_literal(value), text) ~ " = 0") }}
    {%- elif operator == "starts_with" -%} {{ return("substr(" ~ text ~ ", 1, " ~ (value | length) ~ ") = " ~ text_literal(value)) }}
    {%- elif operator == "ends_with" -%} {{ return("right(" ~ text ~ ", " ~ (value | length) ~ ") = " ~ text_literal(value)) }}
    {%- elif operator in ("before_date", "after_date") -%}
        {%- set moment = parse_timestamp("(case when length(" ~ text ~ ") = 10 then concat(" ~ text ~ ", 'T00:00:00Z') else " ~ text ~ " end)") -%}
        {%- set day = "cast('" ~ value ~ "' as " ~ dbt.type_timestamp() ~ ")" -%}
        {{ return(moment ~ (" < " ~ day if operator == "before_date" else " >= " ~ add_seconds(day, 86400))) }}
    {%- else -%}
        {%- set any = [] -%}
        {%- for item in value -%}
            {%- do any.append(trait_condition(property, "equals" if operator == "equals_one_of" else "contains", item)) -%}
        {%- endfor -%}
        {{ return("(" ~ (any | join(" or ")) ~ ")") }}
    {%- endif -%}
{%- endmacro %}

{# A trait as an aggregate over a holder's facts; what looks at values is trait_of_values. #}
{% macro trait_aggregate(trait, properties) -%}
    {%- set applies = trait_applies(trait, properties) -%}
    {%- if trait.kind == "count" -%} count(case when {{ applies }} then 1 end)
    {%- elif trait.kind in ("first", "last") -%}
        {%- set value = "case when " ~ applies ~ " then " ~ trait_value_text(properties[trait.property]) ~ " end" -%}
        {{ first_by(value, ["happened_at", "fact_id"]) if trait.kind == "first" else last_by(value, ["happened_at", "fact_id"]) }}
    {%- else -%}
        {%- set number -%} case when {{ applies }} then {{ trait_value_number(properties[trait.property]) }} end {%- endset -%}
        {%- if trait.kind == "average" -%} {{ decimal_ratio("sum(" ~ number ~ ")", "count(" ~ number ~ ")") }}
        {%- else -%} {{ {"sum": "sum", "minimum": "min", "maximum": "max"}[trait.kind] }}({{ number }})
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# The type of a trait's value, from its kind and property. #}
{% macro trait_type(trait) -%}
    {%- set types = {"count": "bigint", "unique_count": "bigint", "sum": "decimal", "average": "decimal", "minimum": "decimal", "maximum": "decimal"} -%}
    {%- if trait.kind == "unique_list" -%} {{ return("list") }}
    {%- elif trait.property in ("at.hour", "at.weekday") -%} {{ return(types.get(trait.kind, "bigint")) }}
    {%- else -%} {{ return(types.get(trait.kind, "string")) }}
    {%- endif -%}
{%- endmacro %}

{# A trait has one name: refuse one that is both computed and SQL, and a name in no_history that no trait has. #}
{% macro check_trait_names() -%}
    {%- set computed = config_traits().traits | map(attribute="name") | list -%}
    {%- for level in ["profile", "account"] -%}
        {%- for name in computed if name in sql_traits_of(level) -%}
            {{ exceptions.raise_compiler_error(
                "A computed trait and a SQL trait have the same name.\n  where: dbt_project/config/traits.yml and sql_traits/" ~ level ~ "s/" ~ name
                ~ ".sql\n  found: " ~ name ~ "\n  to do: rename one of them"
            ) }}
        {%- endfor -%}
    {%- endfor -%}
    {%- set allowed = computed + sql_traits_of("profile").keys() | list -%}
    {%- for name in config_traits().no_history or [] if name not in allowed -%}
        {{ exceptions.raise_compiler_error(
            "no_history names a trait that does not exist.\n  where: dbt_project/config/traits.yml\n  found: " ~ name
            ~ "\n  allowed: " ~ (allowed | join(", ")) ~ "\n  to do: correct the name or remove it"
        ) }}
    {%- endfor -%}
{%- endmacro %}

{# The values that traits of one source look at (kinds most_frequent, unique_list, unique_count), each once: [{trait, names}], the trait one that
   says which values, the names those of all that look at them. #}
{% macro trait_values_read(traits) -%}
    {%- set found = {} -%}
    {%- for trait in traits if trait.kind in ("most_frequent", "unique_list", "unique_count") -%}
        {%- set said = tojson([trait.property, trait.event, trait.within_days, trait.where]) -%}
        {%- do found.setdefault(said, {"trait": trait, "names": []}).names.append(trait.name) -%}
    {%- endfor -%}
    {{ return(found.values() | list) }}
{%- endmacro %}

{# A trait as an aggregate over a holder's values, each with how often it was there. Of a count below 900 million the rest to 1,000 million
   has nine digits: the smallest text is the most frequent value. #}
{% macro trait_of_values(trait) -%}
    {%- if trait.kind == "unique_list" -%} {{ list_json("value") }}
    {%- elif trait.kind == "unique_count" -%} count(*)
    {%- else -%}
        {%- set favoured -%} substr(min(concat(cast(1000000000 - value_count as {{ dbt.type_string() }}), value)), 10) {%- endset -%}
        {%- set conditions = [] -%}
        {%- for aggregate, needed in {"sum": trait.minimum_count, "max": trait.winner_count}.items() if needed > 1 -%}
            {%- do conditions.append(aggregate ~ "(value_count) >= " ~ needed) -%}
        {%- endfor -%}
        {{ "case when " ~ (conditions | join(" and ")) ~ " then " if conditions }}{{ favoured }}{{ " end" if conditions }}
    {%- endif -%}
{%- endmacro %}

{# The computed traits of a level (profile or account), after the CTEs of its holders and sources: one column each. Every source is read
   narrow, the properties of events from int_properties_extracted, and counted by the holder's key: values once for all traits that look
   at them, everything else in one pass. (One union of all values, to be looked at together, costs a tenth more.) #}
{% macro compute_traits(level) -%}
    {%- set key = level ~ "_id" -%}
    {%- set all_traits = traits_of(level) -%}
    {%- set counted = ["count", "unique_count"] -%}
    {%- set of_values = ["most_frequent", "unique_list", "unique_count"] -%}
    {%- set sources = {
        "events": {"key": "event_id", "at": "occurred_at"},
        "orders": {"key": "order_id", "at": "ordered_at"},
        "sessions": {"key": "session_id", "at": "started_at"},
    } -%}
    ,

    holders_keyed as (select {{ key }}, {{ holder_key(key) }} as holder_key from holders)

    {%- set found = {} %}
    {%- for source, columns in sources.items() %}
        {%- set traits = all_traits | selectattr("source", "equalto", source) | list %}
        {%- set properties = event_properties() if source == "events" else trait_properties(source, traits) %}
        {%- set has_key = source == "events" and level == "profile" %}
        {%- set totals = traits | rejectattr("kind", "in", of_values) | list %}
        {%- set values = trait_values_read(traits) %}

        {%- if traits %}
            ,
            {#- The events of people have their key, and are read once for each value. #}
            {{ source }}_read as {{ materialized(not has_key) }} (
                select
                    {{ "profile_key" if has_key else holder_key(key) }} as holder_key,
                    {{ columns.key }} as fact_id,
                    {{ "event," if source == "events" }}
                    {%- for property in properties.values() %}
                        {{ property.alias if source == "events" else property.sql ~ " as " ~ property.alias }},
                    {%- endfor %}
                    {{ columns.at }} as happened_at
                from {{ source }}
                where {{ "profile_key" if has_key else key }} is not null
            )
        {%- endif %}

        {#- An event at a time: of the others' rows nothing is read. #}
        {%- for event in totals | map(attribute="event") | unique %}
            {%- set totalled = source ~ "_totalled_" ~ loop.index %}
            ,
            {{ totalled }} as (
                select
                    {%- for trait in totals if trait.event == event %}
                        {%- do found.update({trait.name: totalled}) %}
                        {{ trait_aggregate(trait, properties) }} as {{ trait.name }},
                    {%- endfor %}
                    holder_key
                from {{ source }}_read
                {%- if event %}
                    where event = {{ text_literal(event) }}
                {%- endif %}
                group by holder_key
            )
        {%- endfor %}

        {%- for value in values %}
            {%- set property = properties[value.trait.property] %}
            {%- set valued = source ~ "_valued_" ~ loop.index %}
            ,
            {{ source }}_values_{{ loop.index }} as (
                select holder_key, {{ trait_value_text(property) }} as value, count(*) as value_count
                from {{ source }}_read
                where {{ property.alias }} is not null and {{ trait_applies(value.trait, properties) }}
                group by holder_key, {{ property.alias }}
            ),

            {{ valued }} as (
                select
                    {%- for trait in traits if trait.name in value.names %}
                        {%- do found.update({trait.name: valued}) %}
                        {{ trait_of_values(trait) }} as {{ trait.name }},
                    {%- endfor %}
                    holder_key
                from {{ source }}_values_{{ loop.index }}
                group by holder_key
            )
        {%- endfor %}
    {%- endfor %}

select
    {%- for trait in all_traits %}
        {%- set column = found[trait.name] ~ "." ~ trait.name %}
        {%- if trait.kind in counted %} cast(coalesce({{ column }}, 0) as bigint) as {{ trait.name }},
        {%- elif trait_type(trait) == "decimal" %}
            {%- set value = column if trait.when_none is none else "coalesce(" ~ column ~ ", " ~ trait.when_none ~ ")" %}
            {{ limited_decimal(value) }} as {{ trait.name }},
        {%- elif trait_type(trait) == "bigint" %} cast({{ column }} as bigint) as {{ trait.name }},
        {%- else %} {{ column }},
        {%- endif %}
    {%- endfor %}
    holders_keyed.{{ key }}
from holders_keyed
{%- for table in found.values() | unique %}
    left join {{ table }} on holders_keyed.holder_key = {{ table }}.holder_key
{%- endfor %}
{%- endmacro %}

{# The SQL traits of profiles, or of accounts, and their types. #}
{% macro sql_traits_of(level) -%} {{ return(var("sql_account_traits" if level == "account" else "sql_traits")) }} {%- endmacro %}

{# The computed traits and the SQL traits of profiles, or of accounts, one row a holder and trait. Who has computed traits exists: a SQL trait
   may lag behind a merge. Those in `left_out` are. #}
{% macro trait_values(level, left_out=[]) -%}
    {%- for trait in traits_of(level) if trait.name not in left_out %}
        {{ "union all" if not loop.first }}
        select
            {{ level }}_id,
            '{{ trait.name }}' as trait,
            {{ trait_text(trait.name, trait_type(trait)) }} as value,
            '{{ trait_type(trait) }}' as value_type
        from computed
    {%- endfor %}
    {%- for trait, type in sql_traits_of(level).items() if trait not in left_out %}
        {{ "union all select " ~ level ~ "_id, trait, value, value_type from (" if loop.first else "union all" }}
        select {{ level }}_id, '{{ trait }}' as trait, {{ trait_text("value", type) }} as value, '{{ type }}' as value_type
        from {{ ref("sql_traits", trait) }}
        {{ ") as found where " ~ level ~ "_id in (select " ~ level ~ "_id from computed)" if loop.last }}
    {%- endfor %}
{%- endmacro %}

{# The computed traits of profiles, or of accounts. #}
{% macro traits_of(level) -%}
    {%- set found = [] -%}
    {%- for trait in config_traits().traits if (trait.level or "profile") == level %}{% do found.append(trait) %}{% endfor -%}
    {{ return(found) }}
{%- endmacro %}
