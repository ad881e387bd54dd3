"""The plan as SQL: one select for every live event version, its own messages read once, its schema's rules as conditions.

What differs by engine is called as a macro of `macros/engine`; everything else is plain SQL over two arrays, `kinds` and `texts`, with
an entry for each path of the schema. Arrays of objects become a select of their own, one row an item. A select gives one row a message;
`broken` is empty or holds an entry for each rule broken, its fields parted by control characters:

    violation type | field | expected | class of rule | top-level property | kind found
    `keys` | prefix of fields | top-level property | class of rule | properties planned, parted by GROUP | properties found, likewise
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.lib.config import jinja_literal
from orchestration.lib.plan.model import COMMON_PAYLOADS, PAYLOADS, Consolidation, Event, Plan
from orchestration.lib.plan.schema import FORMATS, NUMBERS, portable_pattern

GROUP, RECORD, UNIT = "\x1d", "\x1e", "\x1f"
KINDS = {
    "string": ("VARCHAR",), "number": ("BIGINT", "UBIGINT", "DOUBLE"), "boolean": ("BOOLEAN",), "null": ("NULL",),
    "array": ("ARRAY",), "object": ("OBJECT",), "integer": ("BIGINT", "UBIGINT"),
}  # fmt: skip
COLUMNS = "event_id, event, event_version, source_id"
TOO_MANY_ARGUMENTS = 90  # PostgreSQL's functions take 100
TOO_MANY_SELECTS = 20  # DuckDB's planning grows with the square of the selects in one chain of `union all`
UNPLANNED, UNPLANNED_KEYS = "Unplanned Property", "keys"


def literal(text: str) -> str:
    """Return a text as an SQL literal, quoted by the engine's macro; text is data, never template."""
    return f"{{{{ text_literal({jinja_literal(text)}) }}}}"


def number(value: int | float) -> str:
    """Return a number as SQL."""
    return repr(value) if isinstance(value, int) else f"{value!r}"


def any_of(column: str, values: Iterable[str]) -> str:
    """Return `column in (…)`; of no values, false."""
    listed = ", ".join(literal(value) for value in values)
    return f"{column} in ({listed})" if listed else "false"


@dataclass(frozen=True)
class Node:
    """A place in a schema, the number of its path in `kinds`, and what is said about it."""

    at: int
    path: tuple[str, ...]
    field: str
    schema: dict[str, Any] | bool
    parent: Node | None
    read: list[tuple[str, ...]]  # the paths whose texts are needed, shared by all nodes: a text costs more than a kind

    @property
    def kind(self) -> str:
        return f"kinds[{self.at}]"

    @property
    def text(self) -> str:
        if self.path not in self.read:
            self.read.append(self.path)
        return f"texts[{self.read.index(self.path) + 1}]"

    @property
    def container(self) -> str:
        """The text of an object or array; the whole value need not be read a second time."""
        return self.text if self.path else "value"


def nodes(schema: dict[str, Any] | bool, field: str) -> list[Node]:
    """Return the places that a schema describes or requires, arrays' items left out, parents first."""
    found: list[Node] = []
    read: list[tuple[str, ...]] = []

    def visit(part: dict[str, Any] | bool, path: tuple[str, ...], name: str, parent: Node | None) -> None:
        declared = part.get("properties", {}) if isinstance(part, dict) else {}
        required = part.get("required", []) if isinstance(part, dict) else []
        keys = tuple(dict.fromkeys([*declared, *required]))
        node = Node(len(found) + 1, path, name, part, parent, read)
        found.append(node)
        for key in keys:
            visit(declared.get(key, True), (*path, key), f"{name}.{key}", node)

    visit(schema, (), field, None)
    return found


def entry(condition: str, kind: str, field: str, expected: str, rule: str, top: str, found: str) -> str:
    """Return the text that a broken rule adds to `broken`."""
    head = literal(UNIT.join([kind, field, expected, rule, top, ""]))
    return f"case when {condition} then concat({head}, coalesce({found}, ''), {literal(RECORD)}) else '' end"


def rules(node: Node, top: str) -> Iterator[str]:
    """Yield the entries for one place."""
    schema, kind = node.schema, node.kind
    if schema is False:
        yield entry(f"{kind} is not null", UNPLANNED, node.field, "nothing", "invalid", top, kind)
        return
    if schema is True:
        return
    text = node.text if is_read(schema) else ""
    if "type" in schema:
        types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        allowed = any_of(kind, dict.fromkeys(name for item in types for name in KINDS[item]))
        if "integer" in types and "number" not in types:
            value = f"{{{{ json_number({jinja_literal(kind)}, {jinja_literal(text)}) }}}}"
            allowed = f"({allowed} or coalesce({value} = floor({value}), {kind} = 'DOUBLE'))"
        expected = " or ".join(types)
        yield entry(f"{kind} is not null and not {allowed}", "Invalid Type", node.field, expected, "invalid", top, kind)
    for keyword in ("enum", "const"):
        if keyword in schema:
            values = schema[keyword] if keyword == "enum" else [schema[keyword]]
            allowed = f"coalesce({one_of(kind, text, values)}, false)"
            expected = "one of " + ", ".join(json.dumps(value, ensure_ascii=False) for value in values)
            yield entry(f"{kind} is not null and not {allowed}", "Enum", node.field, expected, "invalid", top, kind)
    if "pattern" in schema:
        pattern = portable_pattern(schema["pattern"])
        match = f"{{{{ matches({jinja_literal(text)}, {jinja_literal(pattern)}) }}}}"
        yield entry(f"{kind} = 'VARCHAR' and not {match}", "Pattern", node.field, schema["pattern"], "invalid", top, kind)
    if "format" in schema:
        macro = "is_date_time" if schema["format"] == "date-time" else "matches"
        check = f"{{{{ {macro}({jinja_literal(text)}, {jinja_literal(FORMATS[schema['format']])}) }}}}"
        yield entry(f"{kind} = 'VARCHAR' and not {check}", "Format", node.field, schema["format"], "invalid", top, kind)
    for keyword, operator in {"minimum": "<", "maximum": ">", "exclusiveMinimum": "<=", "exclusiveMaximum": ">="}.items():
        if keyword in schema:
            value = f"{{{{ json_number({jinja_literal(kind)}, {jinja_literal(text)}) }}}}"
            expected = f"{keyword} {schema[keyword]}"
            yield entry(f"{value} {operator} {number(schema[keyword])}", "Range", node.field, expected, "invalid", top, kind)
    measures = {
        "Length": ("VARCHAR", f"length({text})"),
        "Items": ("ARRAY", "json_item_count"),
        "Properties": ("OBJECT", "json_key_count"),
    }
    for unit, (of_kind, measure) in measures.items():
        for keyword, operator in {f"min{unit}": "<", f"max{unit}": ">"}.items():
            if keyword in schema:
                measured = measure if unit == "Length" else f"{{{{ {measure}({jinja_literal(node.container)}) }}}}"
                counted = f"case when {kind} = '{of_kind}' then {measured} end"
                yield entry(
                    f"{counted} {operator} {schema[keyword]}",
                    "Length",
                    node.field,
                    f"{keyword} {schema[keyword]}",
                    "invalid",
                    top,
                    kind,
                )
    if schema.get("items") is False:
        counted = f"case when {kind} = 'ARRAY' then {{{{ json_item_count({jinja_literal(node.container)}) }}}} end"
        yield entry(f"{counted} > 0", "Length", node.field, "maxItems 0", "invalid", top, kind)


def is_read(schema: dict[str, Any]) -> bool:
    """Whether a schema's rules need a single value's text, not only its kind."""
    types = [schema.get("type")] if isinstance(schema.get("type"), str) else schema.get("type", [])
    return "integer" in types or bool({*schema} & {*NUMBERS, "enum", "const", "pattern", "format", "minLength", "maxLength"})


def one_of(kind: str, text: str, values: list[Any]) -> str:
    """Return the condition that a value is one of some texts, numbers, booleans or null."""
    texts = [value for value in values if isinstance(value, str)]
    flags = [json.dumps(value) for value in values if isinstance(value, bool)]
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    conditions = []
    if texts:
        conditions.append(f"({kind} = 'VARCHAR' and {any_of(text, texts)})")
    if flags:
        conditions.append(f"({kind} = 'BOOLEAN' and {any_of(text, flags)})")
    if numbers:
        read = f"{{{{ json_number({jinja_literal(kind)}, {jinja_literal(text)}) }}}}"
        conditions.append(f"{read} in ({', '.join(number(value) for value in numbers)})")
    if None in values:
        conditions.append(f"{kind} = 'NULL'")
    return f"({' or '.join(conditions)})" if conditions else "false"


def members(node: Node, here: list[Node], top: str, *, reports_unplanned: bool) -> Iterator[str]:
    """Yield the entries for an object's properties: those required and absent, those present and not planned."""
    if not isinstance(node.schema, dict):
        return
    children = [child for child in here if child.parent is node]
    for child in children:
        if child.path[-1] in node.schema.get("required", []):
            condition = f"{node.kind} = 'OBJECT' and {child.kind} is null"
            yield entry(condition, "Required", child.field, "a value", "invalid", top or child.path[0], "null")
    additional = node.schema.get("additionalProperties")
    declared = [child for child in children if child.path[-1] in node.schema.get("properties", {})]
    if additional is False or (additional is None and reports_unplanned and (declared or node.parent is None)):
        rule = "invalid" if additional is False else "unplanned_property"
        present = " + ".join(["0", *(f"case when {child.kind} is null then 0 else 1 end" for child in declared)])
        count = f"{{{{ json_key_count({jinja_literal(node.container)}) }}}}"
        keys = f"{{{{ json_key_list({jinja_literal(node.container)}, {jinja_literal(literal_of(GROUP))}) }}}}"
        planned = GROUP.join(child.path[-1] for child in declared)
        at_top = "" if node.parent is None and not top else top or node.path[0]
        head = UNIT.join([UNPLANNED_KEYS, f"{node.field}.", at_top, rule, planned, ""])
        condition = f"{node.kind} = 'OBJECT' and {count} > {present}"
        yield f"case when {condition} then concat({literal(head)}, {keys}, {literal(RECORD)}) else '' end"


def literal_of(character: str) -> str:
    """Return SQL for a control character, for use within a macro's argument."""
    return f"chr({ord(character)})"


def concatenated(parts: list[str]) -> str:
    """Return SQL that joins texts, in as many steps as functions have room for."""
    if len(parts) > TOO_MANY_ARGUMENTS:
        return concatenated(
            [concatenated(parts[at : at + TOO_MANY_ARGUMENTS]) for at in range(0, len(parts), TOO_MANY_ARGUMENTS)]
        )
    joined = ",\n            ".join(parts)
    return f"concat(\n            '',\n            {joined}\n        )"


def selects(
    source: str, schema: dict[str, Any] | bool, field: str, *, reports_unplanned: bool, extra: Iterable[str] = (), top: str = ""
) -> Iterator[str]:
    """Yield the selects that check `value` of a source (a select of COLUMNS, on_invalid, on_unplanned_property, value)."""
    here = nodes(schema, field)
    entries = list(extra)
    for node in here:
        own_top = top or (node.path[0] if node.path else "")
        entries += rules(node, own_top)
        entries += members(node, here, top, reports_unplanned=reports_unplanned)
    kinds, texts = jinja_literal([list(node.path) for node in here]), jinja_literal([list(path) for path in here[0].read])
    read = (
        f"select\n            {COLUMNS}, on_invalid, on_unplanned_property, value,\n"
        f"            {{{{ json_kinds('value', {kinds}) }}}} as kinds,\n            {{{{ json_texts('value', {texts}) }}}} as texts\n"
        f"        from (\n{source}\n        ) as messages"
    )
    if entries:
        yield (
            f"select {COLUMNS}, on_invalid, on_unplanned_property, broken\nfrom (\n    select\n        {COLUMNS}, on_invalid, "
            f"on_unplanned_property,\n        {concatenated(entries)} as broken\n    from (\n        {read}\n    ) as parsed\n"
            ") as checked"
        )
    for node in here:
        items = node.schema.get("items") if isinstance(node.schema, dict) else None
        if isinstance(items, dict) and asserts(items):
            path = jinja_literal([list(node.path)])
            arrays = (
                f"select {COLUMNS}, on_invalid, on_unplanned_property, value\nfrom (\n"
                f"    select {COLUMNS}, on_invalid, on_unplanned_property, {{{{ json_kinds('value', {path}) }}}} as kinds, "
                f"{{{{ json_texts('value', {path}) }}}} as texts\n    from (\n{source}\n    ) as messages\n) as arrays\n"
                "{{ json_item_rows(\"case when kinds[1] = 'ARRAY' then texts[1] end\", 'value') }}"
            )
            own_top = top or (node.path[0] if node.path else "")
            yield from selects(arrays, items, f"{node.field}.$", reports_unplanned=reports_unplanned, top=own_top)


def asserts(schema: dict[str, Any]) -> bool:
    """Whether a schema says anything that a value can break (or that makes its properties planned)."""
    return any(
        keyword not in ("properties", "items") or value
        for keyword, value in schema.items()
        if not keyword.startswith(("x-", "$"))
    ) and bool({*schema} - {"title", "description", "default", "examples", "id", "key", "labels"})


def outcomes(event: Event | None, plan: Plan, rule: str) -> str:
    """Return SQL for the outcome of breaking a class of rules, by source."""
    own = getattr(event.enforce, rule) if event else None
    if own:
        return f"'{own}'"
    default = getattr(plan.settings.default, rule)
    others: dict[str, list[str]] = {}
    for source, policy in plan.settings.sources.items():
        if (outcome := getattr(policy, rule)) != default:
            others.setdefault(outcome, []).append(source)
    cases = " ".join(f"when {any_of('source_id', sources)} then '{outcome}'" for outcome, sources in others.items())
    return f"case {cases} else '{default}' end" if cases else f"'{default}'"


def source(event: Event, plan: Plan, column: str, where: list[str], relation: str) -> str:
    """Return the select of an event's messages."""
    on_invalid = outcomes(event, plan, "invalid")
    if column == "context":  # nothing is left out of the context, which describes the sender
        on_invalid = on_invalid.replace("'omit'", "'allow'")
    return (
        f"            select\n                {COLUMNS},\n                {on_invalid} as on_invalid,\n"
        f"                {outcomes(event, plan, 'unplanned_property')} as on_unplanned_property,\n"
        f"                coalesce({column}, '{{}}') as value\n            from {relation}\n            where {' and '.join(where)}"
    )


def breaches(plan: Plan, relation: str = "{{ messages }}") -> str:
    """Return the SQL (with macro calls) of everything the plan finds wrong: COLUMNS, on_invalid, on_unplanned_property, broken."""
    parts: list[str] = []
    versions: dict[tuple[str, str | None], list[Event]] = {}
    for event in plan.live():
        versions.setdefault((event.type, event.event), []).append(event)
    for (call, name), found in sorted(versions.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        where = [f"type = '{call}'"]
        if name is not None:
            where.append(f"{'event' if call == 'track' else 'name'} = {literal(name)}")
        elif call in ("page", "screen"):
            named = [other for kind, other in versions if kind == call and other]
            where += [f"not coalesce({any_of('name', named)}, false)"] if named else []
        ordered = sorted(found, key=lambda event: event.version)
        numbers = [str(event.version) for event in ordered]
        for event in ordered:
            is_oldest = event is ordered[0]
            own = [*where]
            if len(ordered) > 1:
                chosen = any_of("coalesce(event_version, '')", numbers[1:] if is_oldest else [str(event.version)])
                own.append(f"not {chosen}" if is_oldest else chosen)
            extra = []
            if is_oldest:
                condition = f"event_version is not null and event_version <> {literal(str(event.version))}"
                extra.append(
                    entry(
                        condition,
                        "Unplanned Version",
                        "context.protocols.event_version",
                        f"one of {', '.join(numbers)}",
                        "version",
                        "",
                        "null",
                    )
                )
            if event.status == "deprecated":
                since = f"occurred_at >= timestamp '{event.sunset.isoformat()} 00:00:00'" if event.sunset else "true"
                own_messages = [*own, since]
                parts.append(
                    f"select {COLUMNS}, '' as on_invalid, '' as on_unplanned_property,\n"
                    f"    {literal(UNIT.join(['Deprecated Event', 'event', 'an event in use', 'version', '', '']) + RECORD)} as broken\n"
                    f"from {relation}\nwhere {' and '.join(own_messages)}"
                )
            payload = PAYLOADS[call]
            parts += selects(
                source(event, plan, payload, own, relation), event.schema_, payload, reports_unplanned=True, extra=extra
            )
    if plan.common:
        for payload in COMMON_PAYLOADS:
            schema = plan.common.schema_.get("properties", {}).get(payload, True)
            calls = [call for call, column in PAYLOADS.items() if column == payload] or list(PAYLOADS)
            if schema is not True:
                where = [any_of("type", calls)]
                parts += selects(source(plan.common, plan, payload, where, relation), schema, payload, reports_unplanned=False)
    if plan.names():
        parts.append(
            f"select {COLUMNS}, '' as on_invalid, '' as on_unplanned_property,\n"
            f"    concat({literal(UNIT.join(['Unplanned Event', 'event', 'a planned event', 'event', '', '']))}, "
            f"{outcomes(None, plan, 'unplanned_event')}, {literal(RECORD)}) as broken\n"
            f"from {relation}\nwhere type = 'track' and event <> '' and not {any_of('event', plan.names())}"
        )
    return united(parts) or (
        f"select {COLUMNS}, '' as on_invalid, '' as on_unplanned_property, '' as broken\nfrom {relation}\nwhere false"
    )


def united(selects: list[str]) -> str:
    """Return the selects as one, in as many levels as keep each chain of `union all` short."""
    if len(selects) > TOO_MANY_SELECTS:
        groups = [selects[at : at + TOO_MANY_SELECTS] for at in range(0, len(selects), TOO_MANY_SELECTS)]
        return united([f"select * from (\n{united(group)}\n) as part" for group in groups])
    return "\nunion all\n".join(selects)


def consolidated(plan: Plan) -> tuple[str, str]:
    """Return the SQL (with macro calls) of a track call's golden name and of its properties, over columns of staging.

    Of each property that a rule touches, the golden name's own value comes first, then that of the old name; `set` is stronger than
    both, `map` translates what is left. The old names go.
    """
    names: list[str] = []
    changes: list[str] = []
    for event in plan.live():
        for rule in event.consolidate:
            condition = f"type = 'track' and {any_of('event', rule.from_)}"
            condition += f" and {any_of('source_id', rule.sources)}" if rule.sources else ""
            condition += f" and occurred_at < timestamp '{rule.until.isoformat()} 00:00:00'" if rule.until else ""
            names.append(f"when {condition} then {literal(event.event or '')}")
            touched = list(dict.fromkeys([*rule.rename.values(), *rule.set, *rule.map]))
            if touched:
                added = ", ".join(f"[{jinja_literal(key)}, {golden_value(rule, key)}]" for key in touched)
                removed = f"text_array({jinja_literal([*rule.rename, *touched])})"
                changed = f"{{{{ json_changed(\"coalesce(properties, '{{}}')\", {removed}, [{added}]) }}}}"
                is_object = "{{ json_kinds(\"coalesce(properties, '{}')\", [[]]) }}"
                changes.append(f"when {condition} and ({is_object})[1] = 'OBJECT' then {changed}")
    name = f"case\n{chr(10).join(names)}\nelse event end" if names else "event"
    return name, f"case\n{chr(10).join(changes)}\nelse properties end" if changes else "properties"


def golden_value(rule: Consolidation, key: str) -> str:
    """Return a Jinja expression for the SQL of a golden property's value as JSON text."""
    if key in rule.set:
        return f"text_literal({jinja_literal(json.dumps(rule.set[key], ensure_ascii=False))})"
    named = [key, *(old for old, new in rule.rename.items() if new == key)]
    value = " ~ ', ' ~ ".join(f"json_member('properties', {jinja_literal(name)})" for name in named)
    value = f"('coalesce(' ~ {value} ~ ', null)')"
    if key not in rule.map:
        return value
    read = " ~ ', ' ~ ".join(f"'(' ~ json_texts('properties', {jinja_literal([[name]])}) ~ ')[1]'" for name in named)
    cases = " ~ ".join(
        f"' when ' ~ text_literal({jinja_literal(old)}) ~ ' then ' ~ text_literal({jinja_literal(json.dumps(new, ensure_ascii=False))})"
        for old, new in rule.map[key].items()
    )
    return f"('case coalesce(' ~ {read} ~ ', null)' ~ {cases} ~ ' else ' ~ {value} ~ ' end')"


def rows(columns: list[str], values: list[list[str | None]]) -> str:
    """Return a select of literal rows; without rows, an empty one."""
    cells = [
        ", ".join(
            f"cast({'null' if cell is None else literal(cell)} as {{{{ dbt.type_string() }}}}) as {column}"
            if column != "step_number"
            else f"cast({cell} as bigint) as step_number"
            for column, cell in zip(columns, row, strict=True)
        )
        for row in values or [["0" if column == "step_number" else None for column in columns]]
    ]
    return "\nunion all\n".join(f"select {row}" for row in cells) + ("" if values else " limit 0")


def naming(plan: Plan) -> str:
    """Return Jinja for the condition that a name (`column`) breaks the convention of plan.yml."""
    pattern = plan.settings.naming.event
    if pattern is None:
        return "(1 = 0)"
    excused = jinja_literal([*plan.settings.naming.excused, ""])
    listed = f"{{% for name in {excused} %}}{{{{ text_literal(name) }}}}{{{{ ', ' if not loop.last }}}}{{% endfor %}}"
    return f"(not {{{{ matches(column, {jinja_literal(pattern)}) }}}} and {{{{ column }}}} not in ({listed}))"


def macros(plan: Plan) -> str:
    """Return the compiled macros: what breaks the plan, what staging consolidates, and what the audit compares with."""
    name, properties = consolidated(plan)
    planned = [[event.type, event.event if event.type == "track" else None, event.status, event.owner] for event in plan.events]
    funnels = [
        [funnel, str(number), step]
        for funnel, steps in plan.settings.funnels.items()
        for number, step in enumerate(steps, start=1)
    ]
    content = {
        "plan_breaches(messages)": breaches(plan),
        "plan_event()": name,
        "plan_properties()": properties,
        "plan_events()": rows(["type", "event", "status", "owner"], planned),
        "plan_funnels()": rows(["funnel", "step_number", "event"], funnels),
        "plan_breaks_naming(column)": naming(plan),
    }
    return "{# Compiled from tracking_plan; edits here are lost. #}\n" + "\n".join(
        f"{{% macro {head} -%}}\n{body}\n{{%- endmacro %}}\n" for head, body in content.items()
    )


def write(plan: Plan, file: Path) -> None:
    """Write the compiled macros; a file that would not change keeps its time, so that dbt need not parse anew."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = macros(plan)
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")
