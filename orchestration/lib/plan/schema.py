"""The draft-07 keywords that can be compiled to SQL, and a schema checked against them.

A keyword that asserts something and cannot be compiled is refused, never ignored. Annotations are kept and mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

TYPES = ("string", "number", "integer", "boolean", "null", "array", "object")
PII = ("email", "phone", "name", "id", "address", "free_text")
NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
ASSERTIONS = {
    *NUMBERS, *COUNTS, "type", "required", "properties", "additionalProperties", "items", "enum", "const", "pattern", "format",
}  # fmt: skip
ANNOTATIONS = {
    "$schema", "$id", "$comment", "title", "description", "default", "examples", "readOnly", "writeOnly", "contentMediaType",
    "contentEncoding", "id", "key", "labels", "eventMetadata",  # the last four are Segment's
}  # fmt: skip
LARGEST_REPEAT = 255  # PostgreSQL's; the other engines allow more
Path = tuple[str | int, ...]


def _formats() -> dict[str, str]:
    """Return a pattern for each format: RFC 3339 (date, date-time), RFC 5321 (email), RFC 3986 with a scheme (uri), RFC 4122 (uuid)."""
    leap_years = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
    months = "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8])"
    day = f"(?:[0-9]{{4}}-(?:{months})|{leap_years}-02-29)"
    time = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:[.][0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
    octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    ipv4 = rf"{octet}(?:[.]{octet}){{3}}"
    group = "[0-9A-Fa-f]{1,4}"
    tail = f"(?:{group}:{group}|{ipv4})"
    before = [f"(?:(?:{group}:){{0,{most}}}{group})?::" for most in range(7)]  # at most so many groups before `::`
    ipv6 = "|".join([
        f"(?:{group}:){{6}}{tail}", f"::(?:{group}:){{5}}{tail}", f"{before[0]}(?:{group}:){{4}}{tail}",
        f"{before[1]}(?:{group}:){{3}}{tail}", f"{before[2]}(?:{group}:){{2}}{tail}", f"{before[3]}{group}:{tail}",
        f"{before[4]}{tail}", f"{before[5]}{group}", before[6],
    ])  # fmt: skip
    atom = r"[A-Za-z0-9!#\$%&'*+/=?^_`{|}~-]+"
    quoted = r'"(?:[ !#-Z^-~\[\]]|\\[ -~])*"'
    label = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    plain = r"[A-Za-z0-9._~!\$&'()*+,;=-]|%[0-9A-Fa-f]{2}"
    letter = f"(?:{plain}|[:@])"
    host = rf"\[(?:{ipv6}|[vV][0-9A-Fa-f]+[.][A-Za-z0-9._~!\$&'()*+,;=:-]+)\]|(?:{plain})*"
    authority = f"(?:(?:{plain}|:)*@)?(?:{host})(?::[0-9]*)?"
    path = f"//{authority}(?:/{letter}*)*|/(?:{letter}+(?:/{letter}*)*)?|{letter}+(?:/{letter}*)*|"
    return {
        "date": f"^{day}$",
        "date-time": f"^{day}[Tt]{time}$",
        "email": rf"^(?:{atom}(?:[.]{atom})*|{quoted})@(?:{label}(?:[.]{label})*|\[(?:{ipv4}|IPv6:(?:{ipv6}))\])$",
        "uri": f"^[A-Za-z][A-Za-z0-9+.-]*:(?:{path})(?:[?](?:{letter}|[/?])*)?(?:#(?:{letter}|[/?])*)?$",
        "uuid": "^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
    }


FORMATS = _formats()


def problems(schema: Any, at: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield what keeps a schema from being compiled: the place within it, and a sentence."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield at, "a schema is a mapping, true or false"
        return
    for keyword, value in schema.items():
        place = (*at, keyword)
        if keyword in ANNOTATIONS or str(keyword).startswith("x-"):
            if keyword == "x-pii" and value not in PII:
                yield place, f"x-pii is one of {', '.join(PII)}"
        elif keyword not in ASSERTIONS:
            yield place, f"{keyword} cannot be compiled to SQL; supported: {', '.join(sorted(ASSERTIONS))}; notes begin with x-"
        elif keyword in NUMBERS and (isinstance(value, bool) or not isinstance(value, (int, float))):
            yield place, f"{keyword} is a number"
        elif keyword in COUNTS and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            yield place, f"{keyword} is a whole number from 0"
        else:
            yield from _value_problems(keyword, value, place)


def _value_problems(keyword: str, value: Any, at: Path) -> Iterator[tuple[Path, str]]:
    if keyword == "type":
        named = value if isinstance(value, list) else [value]
        if not named or not all(isinstance(name, str) and name in TYPES for name in named):
            yield at, f"type is one of {', '.join(TYPES)}, or a list of them"
    elif keyword == "required":
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            yield at, "required is a list of property names"
        else:
            yield from _name_problems(value, at)
    elif keyword == "properties":
        if not isinstance(value, dict):
            yield at, "properties is a mapping from name to schema"
            return
        yield from _name_problems(value, at)
        for name, child in value.items():
            yield from problems(child, (*at, name))
    elif keyword == "additionalProperties":
        if not isinstance(value, bool):
            yield at, "additionalProperties can be compiled when it is true or false; declare the properties instead"
    elif keyword == "items":
        if isinstance(value, list):
            yield at, "items can be compiled when it is one schema for all items, not a list"
        else:
            yield from problems(value, at)
    elif keyword in ("enum", "const"):
        values = value if keyword == "enum" else [value]
        if not isinstance(values, list) or not all(item is None or isinstance(item, (str, int, float)) for item in values):
            yield at, f"{keyword} can be compiled for texts, numbers, true, false and null"
    elif keyword == "pattern":
        try:
            portable_pattern(value)
        except ValueError as error:
            yield at, f"the pattern cannot be compiled: {error}"
    elif keyword == "format" and value not in FORMATS:
        yield at, f"format is one of {', '.join(FORMATS)}"


def _name_problems(names: Any, at: Path) -> Iterator[tuple[Path, str]]:
    for name in names:
        if not isinstance(name, str) or re.search(r"[\x00-\x1f]", name):
            yield at, "a property's name is a text without control characters"


_DIGIT, _WORD = "0-9", "A-Za-z0-9_"
_SPACE = "\t\n\x0b\x0c\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_LETTERS = {"t": "\t", "n": "\n", "r": "\r", "f": "\x0c", "v": "\x0b"}
_CLASSES = {"d": _DIGIT, "w": _WORD, "s": _SPACE}


def portable_pattern(pattern: Any) -> str:
    r"""Return an ECMA 262 pattern in the syntax that all engines read alike; raise ValueError with what they do not share.

    `\d`, `\w` and `\s` mean what ECMA says (ASCII digits, all Unicode blanks) on every engine, `.` anything but a line feed (as
    jsonschema-rs reads it; ECMA excludes three rarer line ends as well); the macro pattern_literal makes `$` the end of the text, and
    nothing else, on each. Look-around, back-references, named groups, `\b` and `\p` are refused.
    """
    if not isinstance(pattern, str):
        raise ValueError("it is not a text")
    parts: list[str] = []
    at, in_class = 0, False
    repeatable = ""  # what a quantifier here would follow: nothing, an atom or a quantifier
    while at < len(pattern):
        rest, character = pattern[at:], pattern[at]
        step = 1
        if character == "\\":
            text, step = _escape(rest, in_class)
            parts.append(text)
        elif in_class:
            if rest.startswith(("[:", "[.", "[=")):
                raise ValueError("write classes such as [a-z], not [:alpha:]")
            parts.append(f"\\{character}" if character in "[$" else character)
            in_class = character != "]"
        elif character == "[":
            in_class = True
            negated = rest.startswith("[^")
            step = 2 if negated else 1
            if rest[step : step + 1] == "]":
                raise ValueError("an empty class [] differs between engines")
            parts.append("[^" if negated else "[")
        elif rest.startswith("(?"):
            if not rest.startswith("(?:"):
                raise ValueError("look-around, named groups and flags differ between engines; use (?:…)")
            parts.append("(?:")
            step = 3
        elif character == ".":
            parts.append("[^\n]")
        elif character == "{":
            bounds = re.match(r"\{(\d+)(?:,(\d*))?\}", rest)
            if not bounds:
                raise ValueError("a brace that is no repetition is written \\{")
            if any(int(bound) > LARGEST_REPEAT for bound in bounds.groups() if bound):
                raise ValueError(f"repeat at most {LARGEST_REPEAT} times")
            parts.append(bounds.group())
            step = bounds.end()
        else:
            parts.append(f"\\{character}" if character in "]}" else character)
        if character in "*+?{" and not in_class:
            if not repeatable or (repeatable == "quantifier" and character != "?"):
                raise ValueError("possessive or misplaced quantifiers differ between engines")
            repeatable = "" if repeatable == "quantifier" else "quantifier"  # nothing may follow a lazy one
        else:
            repeatable = "" if character in "(|" and not in_class else "atom"
        at += step
    if in_class:
        raise ValueError("a class [ is not closed")
    translated = "".join(parts)
    try:
        re.compile(translated)
    except (re.error, OverflowError) as error:
        raise ValueError(f"not a regular expression ({error})") from None
    return translated


def _escape(rest: str, in_class: bool) -> tuple[str, int]:
    """Return the translation of the escape that `rest` begins with, and its length."""
    letter = rest[1:2]
    if letter in _CLASSES and letter:
        return (_CLASSES[letter] if in_class else f"[{_CLASSES[letter]}]"), 2
    if letter.lower() in _CLASSES and letter and not in_class:
        return f"[^{_CLASSES[letter.lower()]}]", 2
    if letter in _LETTERS and letter:
        return _LETTERS[letter], 2
    if code := re.match(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))", rest):
        character = chr(int(code[1] or code[2], 16))
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise ValueError("NUL and halves of characters cannot be matched")
        return _quoted(character), code.end()
    if letter and not letter.isalnum():
        return _quoted(letter), 2
    raise ValueError(f"\\{letter} differs between engines; write it out, such as [0-9]")


def _quoted(character: str) -> str:
    return f"\\{character}" if character in r"\^$.|?*+()[]{}-/" and character not in "/" else character
