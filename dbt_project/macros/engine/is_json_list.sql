{# Whether a text is a JSON array. Differs by engine: the check. #}
{% macro is_json_list(expression) -%}
    {{ expression }} like '[%]' and {{ adapter.dispatch("is_json_list", "tessera")(expression) }}
{%- endmacro %}

{# DuckDB takes a comma before the end for JSON. #}
{% macro duckdb__is_json_list(expression) -%}
    json_valid({{ expression }})
    and not regexp_matches(regexp_replace({{ expression }}, '"(?:[^"\\]|\\.)*"', 's', 'g'), ',\s*[\]}]')
{%- endmacro %}

{# PostgreSQL before 16 has no check that does not raise: reduce the text. Strings become s, other scalars v, then the innermost objects
   and arrays v, five times; an array remains as v. What is nested deeper is not taken for JSON, and stays a text. #}
{% macro postgres__is_json_list(expression) -%}
    {%- set string = '"([^"\\\\[:cntrl:]]|\\\\(["\\\\/bfnrt]|u(000[1-9a-fA-F]|00[1-9a-fA-F][0-9a-fA-F]|0[1-9a-fA-F][0-9a-fA-F]{2}|[1-9a-cA-Ce-fE-F][0-9a-fA-F]{3})))*"' -%}
    {%- set steps = [
        (string, "s"), ("[ \\t\\r\\n]*([][{}:,])[ \\t\\r\\n]*", "\\1"),
        ("(^|[,:[])(true|false|null|-?(0|[1-9][0-9]{0,99})([.][0-9]{1,99})?([eE][+-]?[0-9]{1,2})?)(?=[],}])", "\\1v")
    ] -%}
    {%- for _ in range(5) -%}
        {%- do steps.append(("[{](s:[sv](,s:[sv])*)?[}]", "v")) -%}
        {%- do steps.append(("[[]([sv](,[sv])*)?[]]", "v")) -%}
    {%- endfor -%}
    {%- set reduced = namespace(text=expression) -%}
    {%- for pattern, by in steps -%}
        {%- set reduced.text = "regexp_replace(" ~ reduced.text ~ ", '" ~ pattern ~ "', '" ~ by ~ "', 'g')" -%}
    {%- endfor -%}
    {{ reduced.text }} = 'v'
{%- endmacro %}

{# Spark reads one value and ignores what follows it: what follows is at odds with one of the two frames. #}
{% macro spark__is_json_list(expression) -%}
    json_array_length(concat('[', {{ expression }}, ']')) = 1 and try_parse_json(concat('{"list":', {{ expression }}, '}')) is not null
{%- endmacro %}

{% macro snowflake__is_json_list(expression) -%} try_parse_json({{ expression }}) is not null {%- endmacro %}

{% macro bigquery__is_json_list(expression) -%} safe.parse_json({{ expression }}, wide_number_mode => 'round') is not null {%- endmacro %}
