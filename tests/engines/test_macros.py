"""Every engine macro means the same on every engine.

One throw-away dbt project an engine holds all cases: one start of dbt, then each case's result, as text, is compared with the value
written beside its sentence. The inputs lie in tables, so that no optimiser answers from constants.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from tests.conftest import ROOT

ENGINES = ("duckdb", "postgres", "spark")
TABLES = "select table_name from information_schema.tables where table_schema = 'public'"
Read = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Case:
    """A macro's call (Jinja and SQL over the texts v, w, x), its inputs and the result as text."""

    macro: str
    sentence: str
    call: str
    expected: str | None
    inputs: tuple[str | None, ...] = ()


def _json(sentence: str, document: str | None, path: str, expected: str | None) -> Case:
    return Case("json_text", sentence, f'{{{{ json_text("v", {path}) }}}}', expected, (document,))


ODD_KEYS = {
    "a.b": "dot",
    "c d": "blank",
    "it's": "apostrophe",
    'q"x': "quote",
    "é😀": "unicode",
    "a[0]": "bracket",
    "$x": "dollar",
    "w*": "star",
    "?y": "mark",
    "a-b": "hyphen",
    "0": "digit",
}
ODD = json.dumps(ODD_KEYS, ensure_ascii=False, separators=(",", ":"))

JSON = [
    _json("a key at the top", '{"a":"x"}', '["a"]', "x"),
    _json("a nested path", '{"a":{"b":{"c":"x"}}}', '["a", "b", "c"]', "x"),
    _json("null where the document is null", None, '["a"]', None),
    _json("null where the key is absent", '{"a":1}', '["b"]', None),
    _json("null where the path goes on below a text", '{"a":"x"}', '["a", "b"]', None),
    _json("null for a JSON null", '{"a":null}', '["a"]', None),
    _json("null below a JSON null", '{"a":null}', '["a", "b"]', None),
    _json("an empty text stays one", '{"a":""}', '["a"]', ""),
    _json("the text null is no null", '{"a":"null"}', '["a"]', "null"),
    _json("blanks are kept", '{"a":" x "}', '["a"]', " x "),
    _json("keys have case", '{"A":"x"}', '["a"]', None),
    _json("an integer", '{"a":7}', '["a"]', "7"),
    _json("a negative integer", '{"a":-7}', '["a"]', "-7"),
    _json("an integer of 18 digits", '{"a":123456789012345678}', '["a"]', "123456789012345678"),
    _json("a decimal number", '{"a":12.5}', '["a"]', "12.5"),
    _json("a number with a decimal zero", '{"a":12.0}', '["a"]', "12.0"),
    _json("a large number", '{"a":12345678901234567890123}', '["a"]', "12345678901234567890123"),
    _json("a boolean", '{"a":true}', '["a"]', "true"),
    _json("an object", '{"a":{"b":1,"c":[true,null,"x"]}}', '["a"]', '{"b":1,"c":[true,null,"x"]}'),
    _json("an empty object", '{"a":{}}', '["a"]', "{}"),
    _json("an array", '{"a":[1,"x",null]}', '["a"]', '[1,"x",null]'),
    _json("an escaped quote", r'{"a":"say \"hi\""}', '["a"]', 'say "hi"'),
    _json("an escaped backslash", r'{"a":"c:\\d"}', '["a"]', "c:\\d"),
    _json("a line break and a tab", r'{"a":"x\ny\tz"}', '["a"]', "x\ny\tz"),
    _json("unicode written out", '{"a":"Zoë 😀"}', '["a"]', "Zoë 😀"),
    _json("unicode escaped, as a pair of surrogates", r'{"a":"\u00e9\ud83d\ude00"}', '["a"]', "é😀"),
    *(
        # As text, Spark writes such numbers with an exponent.
        Case("json_text", f"the number {number}", '{{ parse_decimal(json_text("v", ["a"])) }}', value, (f'{{"a":{number}}}',))
        for number, value in [
            ("0.00125", "0.0013"),
            ("0.00001", "0.0000"),
            ("1e-7", "0.0000"),
            ("12345678.5", "12345678.5000"),
            ("12345678901.25", "12345678901.2500"),
        ]
    ),
    *(_json(f"the odd key {key}", ODD, repr([key]), value) for key, value in ODD_KEYS.items()),
    *(
        Case(
            "json_opened",
            f"the odd key {key} beside one that is not there",
            f'{{{{ json_item(json_opened("v", [["z"], {[key]!r}]), [["z"], {[key]!r}], {[key]!r}) }}}}',
            value,
            (ODD,),
        )
        for key, value in ODD_KEYS.items()
    ),
    Case(
        "json_opened",
        "of no document nothing",
        '{{ json_item(json_opened("v", [["a"], ["b"]]), [["a"], ["b"]], ["b"]) }}',
        None,
        (None,),
    ),
    Case(
        "json_opened",
        "JSON null is none",
        '{{ json_item(json_opened("v", [["a"], ["b"]]), [["a"], ["b"]], ["b"]) }}',
        None,
        ('{"a":1,"b":null}',),
    ),
    *(
        Case("json_text_of", f"the odd key {key} of a column", '{{ json_text_of("v", [], "w") }}', value, (ODD, key))
        for key, value in ODD_KEYS.items()
    ),
    *(
        Case("json_text_of", sentence, '{{ json_text_of("v", ["a", "b"], "w") }}', expected, (document, key))
        for sentence, document, key, expected in [
            ("a key below a path", '{"a":{"b":{"c":"x"}}}', "c", "x"),
            ("a boolean", '{"a":{"b":{"c":true}}}', "c", "true"),
            ("a number", '{"a":{"b":{"c":12.5}}}', "c", "12.5"),
            ("an object", '{"a":{"b":{"c":{"d":1}}}}', "c", '{"d":1}'),
            ("an escaped quote", r'{"a":{"b":{"c":"\"é\""}}}', "c", '"é"'),
            ("null where the key is absent", '{"a":{"b":{"c":"x"}}}', "d", None),
            ("null where the path is absent", '{"a":{}}', "c", None),
            ("null for a JSON null", '{"a":{"b":{"c":null}}}', "c", None),
            ("null where the document is null", None, "c", None),
            ("null where the key is null", '{"a":{"b":{"c":"x"}}}', None, None),
        ]
    ),
    *(
        Case("json_string", sentence, '{{ json_string("v") }}', expected, (text,))
        for sentence, text, expected in [
            ("null stays null", None, None),
            ("an empty text", "", '""'),
            ("a text with blanks", " x y ", '" x y "'),
            ("a quote", 'say "hi"', r'"say \"hi\""'),
            ("a backslash", "c:\\d", r'"c:\\d"'),
            ("a slash is not escaped", "a/b", '"a/b"'),
            ("a line break, a tab, a carriage return", "x\ny\tz\r", r'"x\ny\tz\r"'),
            ("a backspace and a form feed", "\b\f", r'"\b\f"'),
            ("another control character", "\x01", r'"\u0001"'),
            ("unicode is written out", "Zoë 😀", '"Zoë 😀"'),
            ("an apostrophe", "it's", '"it\'s"'),
            ("what looks like JSON", '{"v":1}', r'"{\"v\":1}"'),
        ]
    ),
]

NOON = "2026-03-01 12:00:00"
TIMES = [
    Case("parse_timestamp", sentence, '{{ parse_timestamp("v") }}', expected, (text,))
    for sentence, text, expected in [
        ("UTC", "2026-03-01T12:00:00Z", NOON),
        ("lower case t and z", "2026-03-01t12:00:00z", NOON),
        ("a blank instead of T", "2026-03-01 12:00:00", NOON),
        ("no zone is UTC", "2026-03-01T12:00:00", NOON),
        ("no seconds", "2026-03-01T12:00Z", NOON),
        ("no seconds and no zone", "2026-03-01 12:00", NOON),
        ("no seconds and a zone", "2026-03-01T14:00+0200", NOON),
        ("a zone of hours", "2026-03-01T14:00:00+02", NOON),
        ("a zone of hours and minutes", "2026-03-01T14:30:00+02:30", NOON),
        ("a zone without a colon", "2026-03-01T14:30:00+0230", NOON),
        ("a zone west of UTC", "2026-03-01T06:30:00-05:30", NOON),
        ("the day before by its zone", "2026-03-01T01:00:00+02:00", "2026-02-28 23:00:00"),
        ("the zone furthest east", "2026-03-02T02:00:00+14:00", NOON),
        ("a zone of 15 hours", "2026-03-01T12:00:00+15:00", None),
        ("a zone of 25 hours", "2026-03-01T12:00:00+25:00", None),
        ("a zone of 60 minutes", "2026-03-01T12:00:00+02:60", None),
        ("milliseconds", "2026-03-01T12:00:00.250Z", NOON + ".25"),
        ("one decimal", "2026-03-01T12:00:00.5Z", NOON + ".5"),
        ("microseconds", "2026-03-01T12:00:00.123456Z", NOON + ".123456"),
        ("nanoseconds are cut", "2026-03-01T12:00:00.123456789Z", NOON + ".123456"),
        ("nanoseconds never reach the next second", "2026-03-01T12:00:00.9999999+00:00", NOON + ".999999"),
        ("a point without decimals", "2026-03-01T12:00:00.Z", None),
        ("29 February of a leap year", "2024-02-29T00:00:00Z", "2024-02-29 00:00:00"),
        ("29 February of another year", "2026-02-29T00:00:00Z", None),
        ("29 February 1900", "1900-02-29T00:00:00Z", None),
        ("30 February", "2026-02-30T00:00:00Z", None),
        ("31 April", "2026-04-31T00:00:00Z", None),
        ("month 13", "2026-13-01T00:00:00Z", None),
        ("month 0", "2026-00-01T00:00:00Z", None),
        ("day 0", "2026-01-00T00:00:00Z", None),
        ("24:00", "2026-03-01T24:00:00Z", None),
        ("minute 60", "2026-03-01T12:60:00Z", None),
        ("a leap second", "2026-12-31T23:59:60Z", None),
        ("the year 1", "0001-01-01T00:00:00Z", "0001-01-01 00:00:00"),
        ("the year 0", "0000-01-01T00:00:00Z", None),
        ("before the year 1 by its zone", "0001-01-01T00:00:00+01:00", None),
        ("the year 9999", "9999-12-31T23:59:59.999999Z", "9999-12-31 23:59:59.999999"),
        ("after the year 9999 by its zone", "9999-12-31T23:59:59-01:00", None),
        ("before 1970", "1969-12-31T23:59:59.5Z", "1969-12-31 23:59:59.5"),
        ("before the calendar's reform", "1500-03-01T12:00:00Z", "1500-03-01 12:00:00"),
        ("infinity", "infinity", None),
        ("epoch", "epoch", None),
        ("now", "now", None),
        ("a date alone", "2026-03-01", None),
        ("a number", "1772366400", None),
        ("a year of five digits", "12026-03-01T12:00:00Z", None),
        ("a zone's name", "2026-03-01T12:00:00 Europe/Vienna", None),
        ("words", "yesterday", None),
        ("empty", "", None),
        ("a blank", " ", None),
        ("blanks around", " 2026-03-01T12:00:00Z ", None),
        ("a line break at the end", "2026-03-01T12:00:00Z\n", None),
        ("null", None, None),
    ]
]
TIMES += [
    Case(macro, sentence, call.replace("v:t", "cast(v as timestamp)").replace("w:t", "cast(w as timestamp)"), expected, inputs)
    for macro, sentence, call, expected, inputs in [
        ("seconds_between", "elapsed", '{{ seconds_between("v:t", "w:t") }}', "90", (NOON, "2026-03-01 12:01:30")),
        ("seconds_between", "the same time", '{{ seconds_between("v:t", "w:t") }}', "0", (NOON, NOON)),
        ("seconds_between", "backwards", '{{ seconds_between("v:t", "w:t") }}', "-90", ("2026-03-01 12:01:30", NOON)),
        ("seconds_between", "a fraction does not count", '{{ seconds_between("v:t", "w:t") }}', "1", (NOON, NOON[:-1] + "1.999999")),
        ("seconds_between", "a fraction backwards is rounded down", '{{ seconds_between("v:t", "w:t") }}', "-1", (NOON + ".5", NOON)),
        ("seconds_between", "not boundaries crossed", '{{ seconds_between("v:t", "w:t") }}', "0", (NOON + ".9", NOON[:-1] + "1.1")),
        ("seconds_between", "ten thousand years", '{{ seconds_between("v:t", "w:t") }}', "315537897599",
            ("0001-01-01 00:00:00", "9999-12-31 23:59:59")),
        ("seconds_between", "null", '{{ seconds_between("v:t", "w:t") }}', None, (NOON, None)),
        ("add_seconds", "forwards", '{{ add_seconds("v:t", 90) }}', "2026-03-01 12:01:30", (NOON,)),
        ("add_seconds", "backwards", '{{ add_seconds("v:t", -86400) }}', "2026-02-28 12:00:00", (NOON,)),
        ("add_seconds", "an expression", '{{ add_seconds("v:t", "2 * cast(w as bigint)") }}', "2026-03-01 12:00:14", (NOON, "7")),
        ("add_seconds", "a sum", '{{ add_seconds("v:t", "1 + cast(w as bigint)") }}', "2026-03-01 12:00:08", (NOON, "7")),
        ("add_seconds", "a fraction is kept", '{{ add_seconds("v:t", 1) }}', "2026-03-01 12:00:01.25", (NOON + ".25",)),
        ("add_seconds", "ten years", '{{ add_seconds("v:t", 315619200) }}', "2036-03-01 12:00:00", (NOON,)),
        ("add_seconds", "null", '{{ add_seconds("v:t", 90) }}', None, (None,)),
        ("correct_clock", "a clock an hour slow", '{{ correct_clock("cast(x as timestamp)", "v:t", "w:t") }}', "2026-03-01 12:00:01.5",
            ("2026-03-01 11:00:02", "2026-03-01 11:00:01.500001", "2026-03-01 12:00:01.999999")),
        ("correct_clock", "sent before it happened", '{{ correct_clock("cast(x as timestamp)", "v:t", "w:t") }}',
            "2026-03-03 12:00:00", (NOON, "2026-03-03 12:00:00", NOON)),
        ("correct_clock", "null", '{{ correct_clock("cast(x as timestamp)", "v:t", "w:t") }}', None, (NOON, None, NOON)),
        # The project of this test reports in Vienna: UTC+1 in winter; summer began on 2026-03-29 at 01:00 UTC and ends on 10-25 at 01:00.
        ("local_part", "the hour there", '{{ local_part("v:t", "hour") }}', "23", ("2026-03-01 22:59:59",)),
        ("local_part", "midnight there is hour 0", '{{ local_part("v:t", "hour") }}', "0", ("2026-03-01 23:00:00",)),
        ("local_part", "an hour of summer", '{{ local_part("v:t", "hour") }}', "14", ("2026-07-01 12:30:00",)),
        ("local_part", "Sunday there is 7", '{{ local_part("v:t", "weekday") }}', "7", ("2026-03-01 22:59:59",)),
        ("local_part", "Monday there is 1", '{{ local_part("v:t", "weekday") }}', "1", ("2026-03-01 23:00:00",)),
        ("local_part", "no time has no hour", '{{ local_part("v:t", "hour") }}', None, (None,)),
        ("local_date", "before midnight there", '{{ local_date("v:t") }}', "2026-03-01", ("2026-03-01 22:59:59.999999",)),
        ("local_date", "midnight there", '{{ local_date("v:t") }}', "2026-03-02", ("2026-03-01 23:00:00",)),
        ("local_date", "the last day of winter", '{{ local_date("v:t") }}', "2026-03-29", ("2026-03-28 23:00:00",)),
        ("local_date", "the first evening of summer", '{{ local_date("v:t") }}', "2026-03-29", ("2026-03-29 21:59:59",)),
        ("local_date", "the first midnight of summer", '{{ local_date("v:t") }}', "2026-03-30", ("2026-03-29 22:00:00",)),
        ("local_date", "the last midnight of summer", '{{ local_date("v:t") }}', "2026-10-25", ("2026-10-24 22:00:00",)),
        ("local_date", "the first midnight of winter", '{{ local_date("v:t") }}', "2026-10-26", ("2026-10-25 23:00:00",)),
        ("local_date", "the last hour before it", '{{ local_date("v:t") }}', "2026-10-25", ("2026-10-25 22:30:00",)),
        ("local_date", "null", '{{ local_date("v:t") }}', None, (None,)),
        ("timestamp_text", "milliseconds", '{{ timestamp_text("v:t") }}', "2026-03-01T12:00:00.250Z", (NOON + ".25",)),
        ("timestamp_text", "zeros", '{{ timestamp_text("v:t") }}', "2026-03-01T12:00:00.000Z", (NOON,)),
        ("timestamp_text", "microseconds are cut", '{{ timestamp_text("v:t") }}', "2026-03-01T12:00:00.001Z", (NOON + ".001999",)),
        ("timestamp_text", "never the next second", '{{ timestamp_text("v:t") }}', "2026-03-01T12:00:00.999Z", (NOON + ".999999",)),
        ("timestamp_text", "before 1970", '{{ timestamp_text("v:t") }}', "1969-12-31T23:59:59.999Z", ("1969-12-31 23:59:59.999999",)),
        ("timestamp_text", "the year 1", '{{ timestamp_text("v:t") }}', "0001-01-01T00:00:00.000Z", ("0001-01-01 00:00:00",)),
        ("timestamp_text", "null", '{{ timestamp_text("v:t") }}', None, (None,)),
    ]
]  # fmt: skip

NUMBERS = [
    Case("parse_decimal", sentence, '{{ parse_decimal("v") }}', expected, (text,))
    for sentence, text, expected in [
        ("an integer", "12", "12.0000"),
        ("decimals", "12.34", "12.3400"),
        ("a plus", "+1", "1.0000"),
        ("a minus", "-1.5", "-1.5000"),
        ("minus zero", "-0", "0.0000"),
        ("no digit before the point", ".5", "0.5000"),
        ("no digit after the point", "5.", "5.0000"),
        ("a point alone", ".", None),
        ("a sign alone", "-", None),
        ("two signs", "--1", None),
        ("leading zeros", "0000000000000000000007", "7.0000"),
        ("an exponent", "1e3", "1000.0000"),
        ("a negative exponent", "125E-2", "1.2500"),
        ("an exponent with a plus", "1e+2", "100.0000"),
        ("an exponent without digits", "1e", None),
        ("many digits and an exponent", "1234567890123456789e-10", None),
        ("the digits of a double and an exponent", "-1.234567890123456e+9", "-1234567890.1235"),
        ("a large exponent", "1e30", None),
        ("a larger exponent", "1e400", None),
        ("an exponent of ten digits", "1e9999999999", None),
        ("a small number", "1e-30", "0.0000"),
        ("a smaller number", "1e-400", "0.0000"),
        ("zero with an exponent", "0e3", "0.0000"),
        ("blanks around", "  7 ", "7.0000"),
        ("a tab and a line break around", "\t7\n", None),
        ("a blank within", "1 2", None),
        ("more than 4 decimals, up", "1.00006", "1.0001"),
        ("more than 4 decimals, down", "1.00004999", "1.0000"),
        ("a half is rounded away from zero", "1.00005", "1.0001"),
        ("a half is rounded away from an even digit", "1.00025", "1.0003"),
        ("a negative half is rounded away from zero", "-1.00005", "-1.0001"),
        ("a half below zero's last digit", "-0.00005", "-0.0001"),
        ("forty decimals", "0.1234499999999999999999999999999999999999", "0.1234"),
        ("the largest", "99999999999999.9999", "99999999999999.9999"),
        ("the smallest", "-99999999999999.9999", "-99999999999999.9999"),
        ("too large", "100000000000000", None),
        ("too large once rounded", "99999999999999.99995", None),
        ("a thousands separator", "1,000", None),
        ("an underscore", "1_000", None),
        ("a decimal comma", "1,5", None),
        ("hexadecimal", "0x10", None),
        ("digits of another script", "١", None),
        ("a currency", "12 EUR", None),
        ("a letter behind", "12d", None),
        ("NaN", "NaN", None),
        ("infinity", "Infinity", None),
        ("a boolean", "true", None),
        ("words", "twelve", None),
        ("empty", "", None),
        ("a blank", " ", None),
        ("null", None, None),
    ]
]
LIMITED = "{{ decimal_text(limited_decimal('cast(v as ' ~ %s ~ ')')) }}"
RATIO = '{{ decimal_ratio("cast(v as decimal(18, 4))", "cast(w as decimal(18, 9))") }}'
NUMBERS += [
    *(
        Case("decimal_ratio", sentence, RATIO, expected, inputs)
        for sentence, inputs, expected in [
            ("four places", ("1", "3"), "0.3333"),
            ("rounded up", ("2", "3"), "0.6667"),
            ("a half goes away from zero", ("1", "20000"), "0.0001"),
            ("a negative half goes away from zero", ("-1", "20000"), "-0.0001"),
            ("a half that floating point puts below", ("1.0001", "2"), "0.5001"),
            ("just below a half", ("0.9999", "20000"), "0.0000"),
            ("two negatives", ("-1", "-3"), "0.3333"),
            ("a numerator of zero", ("0", "3"), "0.0000"),
            ("null for a denominator of zero", ("1", "0"), None),
            ("null for a null", (None, "3"), None),
            ("null by a null", ("3", None), None),
            ("nine decimals below", ("1", "0.333333333"), "3.0000"),
            ("the largest by one", ("99999999999999.9999", "1"), "99999999999999.9999"),
            ("null where the ratio is too large", ("99999999999999.9999", "0.5"), None),
            ("null where it is too large once rounded", ("99999999999999.9999", "-0.999999999"), None),
        ]
    ),
    *(
        Case("decimal_ratio", sentence, '{{ decimal_ratio("cast(v as decimal(28, 4))", "cast(w as decimal(28, 4))") }}', expected, inputs)
        for sentence, inputs, expected in [
            ("a sum that is too large for money", ("10000000000000000", "10000000"), "1000000000.0000"),
            ("a half of one", ("-200000000000001.0000", "20000"), "-10000000000.0001"),
            ("a large denominator", ("1", "20000000000000"), "0.0000"),
            ("two large ones", ("2000000000000000", "3000000000000000"), "0.6667"),
            ("null where the ratio of sums is too large", ("900000000000000000000000", "1"), None),
            ("the largest ratio of sums", ("299999999999999.9997", "3"), "99999999999999.9999"),
            ("null where the ratio of sums is too large once rounded", ("299999999999999.9999", "3"), None),
        ]
    ),
    *(
        Case("type_decimal", f"limited_decimal: {sentence}", LIMITED % of, expected, (text,))
        for sentence, of, text, expected in [
            ("a sum that fits", "'decimal(38, 4)'", "12.5", "12.5000"),
            ("a sum that does not", "'decimal(38, 4)'", "100000000000009", "99999999999999.9999"),
            ("a negative one", "'decimal(38, 4)'", "-100000000000009", "-99999999999999.9999"),
            ("too large once rounded", "'decimal(38, 5)'", "99999999999999.99995", "99999999999999.9999"),
            ("floating point", "type_double()", "1e300", "99999999999999.9999"),
            ("an integer", "'bigint'", "-9223372036854775807", "-99999999999999.9999"),
            ("null", "'decimal(38, 4)'", None, None),
        ]
    ),
    Case("decimal_ratio", "integers", '{{ decimal_ratio("cast(v as bigint)", "cast(w as bigint)") }}', "0.5000", ("1", "2")),
    Case("type_decimal", "has four digits after the point", "cast(v as {{ type_decimal() }})", "12.5000", ("12.5",)),
    Case("type_decimal", "has as many digits as asked for", "cast(v as {{ type_decimal(9) }})", "12.500000000", ("12.5",)),
    Case("decimal_text", "has four digits after the point", "{{ decimal_text('cast(v as ' ~ type_double() ~ ')') }}", "12.5000", ("12.5",)),
    Case("decimal_text", "keeps null", "{{ decimal_text('v') }}", None, (None,)),
    Case("type_double", "has 64 bits", "cast(cast(v as {{ type_double() }}) * 3 as decimal(18, 4))", "3703703670.0000", ("1234567890",)),
    Case("type_double", "holds 15 digits", "cast(cast(v as {{ type_double() }}) as decimal(18, 4))", "12345678901.2345",
        ("12345678901.2345",)),
]  # fmt: skip

TEXTS = [
    *(
        Case("text_hash", sentence, '{{ text_hash("v") }}', expected, (text,))
        # printf '%s' TEXT | sha256sum | cut -c 1-32
        for sentence, text, expected in [
            ("ASCII", "abc", "ba7816bf8f01cfea414140de5dae2223"),
            ("empty", "", "e3b0c44298fc1c149afbf4c8996fb924"),
            ("unicode is hashed as UTF-8", "é😀", "1184d1f608158eea09d2975655758922"),
            ("a backslash is a character", "a\\n", "b55204e6d1c1c3698094a1f8b7ddf6bc"),
            ("null", None, None),
        ]
    ),
    *(
        Case("hash_integer", sentence, f'{{{{ hash_integer("v"{digits}) }}}}', expected, (text,))
        for sentence, text, digits, expected in [
            ("fifteen digits", "ba7816bf8f01cfea414140de5dae2223", "", str(0xBA7816BF8F01CFE)),
            ("the largest", "f" * 32, "", str(2**60 - 1)),
            ("zero", "0" * 32, "", "0"),
            ("eight digits", "ba7816bf8f01cfea414140de5dae2223", ", 8", str(0xBA7816BF)),
            ("null", None, "", None),
        ]
    ),
    *(
        Case("matches", sentence, f'{{{{ matches("v", {pattern!r}) }}}}', expected, (text,))
        for sentence, text, pattern, expected in [
            ("anywhere", "xabcx", "abc", "true"),
            ("not", "xabcx", "abd", "false"),
            ("anchors", "abc", "^abc$", "true"),
            ("anchors hold", "abcd", "^abc$", "false"),
            ("case counts", "ABC", "abc", "false"),
            ("alternatives", "xx ppc", "^(.*cp.*|.*ppc)$", "true"),
            ("classes and counts", "a1-22", "^[a-z][0-9]{1,2}-[0-9]+$", "true"),
            ("an apostrophe", "it's", "t's$", "true"),
            ("a backslash", "a.b", r"^a\.b$", "true"),
            ("a backslash holds", "axb", r"^a\.b$", "false"),
            ("a class by its letter", "x12", r"\d+$", "true"),
            ("a point is one character of unicode", "😀", "^.$", "true"),
            ("a point is any character, a line break too", "a\nb", "^a.b$", "true"),
            ("an end is the end, not before a line break", "abc\n", "abc$", "false"),
            ("a dollar in a class is a dollar", "a$b", "a[$]b", "true"),
            ("a start is the start, not behind a line break", "a\nb", "^b", "false"),
            ("an empty text", "", "^$", "true"),
            ("null", None, "a", None),
        ]
    ),
    *(
        Case("extract_group", sentence, f'{{{{ extract_group("v", {pattern!r}) }}}}', expected, (text,))
        for sentence, text, pattern, expected in [
            ("the first match", "a=1&a=2", "a=([^&]*)", "1"),
            ("the first group", "k=v", "([a-z])=([a-z])", "k"),
            ("a group behind another that captures nothing", "www.x.org", "(?:www[.])?([a-z]+)[.]org", "x"),
            ("null where nothing matches", "b=1", "a=([^&]*)", None),
            ("null where the group is empty", "a=&b=1", "a=([^&]*)", None),
            ("null where the group took no part", "b", "(a)?b", None),
            ("unicode", "q=é😀", "q=(.*)", "é😀"),
            ("an apostrophe", "it's", "(t's)", "t's"),
            ("a backslash", "id 42", r"(\d+)", "42"),
            ("greedy", "a/b/c", "(.*)/", "a/b"),
            ("a point is any character, a line break too", "a\nb", "(a.b)", "a\nb"),
            ("null for an empty text", "", "(a*)", None),
            ("null", None, "(a)", None),
        ]
    ),
    *(
        Case("text_literal", sentence, f"{{{{ text_literal({text!r}) }}}}", text)
        for sentence, text in [
            ("an apostrophe", "it's"),
            ("a quote", 'say "hi"'),
            ("a backslash", "c:\\new"),
            ("a backslash at the end", "c:\\"),
            ("a line break", "a\nb"),
            ("unicode", "é😀"),
            ("empty", ""),
            ("a percent sign and an underscore", "100%_s"),
        ]
    ),
]

# Groups of rows: value, number, a, b. Each case is an aggregate over one of them.
Row = tuple[str | None, str | None, int | None, str | None]
GROUPS: dict[str, list[Row]] = {
    "ties": [("x", "3", 1, "b"), ("y", "1", 1, "a"), ("z", "2", 2, "a"), ("w", "2", 2, "B")],
    "nulls": [("n", None, None, "a"), ("x", "1", 1, None), (None, None, 0, "a"), ("y", "5", 1, "b"), (None, None, 9, "z")],
    "one": [("only", "7.1250", 1, "a")],
    "nothing": [(None, None, 1, "a"), (None, None, None, None)],
    "all unordered": [("b", "1", None, "b"), ("a", "2", None, "a"), ("c", "3", None, None)],
    "words": [(word, "0", 1, word) for word in ("b", "a", "B", "é", "Z", "a-c", "ab", "a b", "b", "😀", "ﬀ", "_", "")],
    "decimals": [("v", number, 1, "a") for number in ("0.1000", "-5.2500", "3.3333", "3.3333", "1000000.0001", "2.0000", "9.9999")],
    "four": [("v", number, 1, "a") for number in ("40", "10", "30", "20")],
}  # fmt: skip
AGGREGATES = [
    ("first_by", "the first by the first column, then by the second", "ties", '{{ first_by("value", ["a", "b"]) }}', "y"),
    ("first_by", "an upper-case letter comes before a lower-case one", "ties", '{{ first_by("value", ["-a", "b"]) }}', "w"),
    ("first_by", "a null orders behind every value", "nulls", '{{ first_by("value", ["a", "b"]) }}', "y"),
    ("first_by", "a null in the second column orders behind every value", "nulls",
        '{{ first_by("value", ["case when a = 1 then 1 end", "b"]) }}', "y"),
    ("first_by", "by the second column where the first is null", "all unordered", '{{ first_by("value", ["a", "b"]) }}', "a"),
    ("first_by", "one row", "one", '{{ first_by("value", ["a", "b"]) }}', "only"),
    ("first_by", "one column", "four", '{{ first_by("number", ["number"]) }}', "10.0000"),
    ("first_by", "the value orders last itself", "ties", '{{ first_by("value", ["-a", "value"]) }}', "w"),
    ("first_by", "a null orders behind every value, before the value itself", "nulls", '{{ first_by("value", ["a", "value"]) }}', "x"),
    ("first_by", "null where every value is", "nothing", '{{ first_by("value", ["a", "b"]) }}', None),
    ("first_by", "a value by itself in byte order", "words", '{{ first_by("nullif(value, \'\')", ["b"]) }}', "B"),
    ("last_by", "the last by the first column, then by the second", "ties", '{{ last_by("value", ["a", "b"]) }}', "z"),
    ("last_by", "a null orders behind every value", "nulls", '{{ last_by("value", ["a", "b"]) }}', "n"),
    ("last_by", "by the second column where the first is null", "all unordered", '{{ last_by("value", ["a", "b"]) }}', "c"),
    ("last_by", "one row", "one", '{{ last_by("value", ["a", "b"]) }}', "only"),
    ("last_by", "one column", "four", '{{ last_by("number", ["number"]) }}', "40.0000"),
    ("last_by", "null where every value is", "nothing", '{{ last_by("value", ["a", "b"]) }}', None),
    ("last_by", "a value by itself in byte order", "words", '{{ last_by("value", ["b"]) }}', "😀"),
    ("list_text", "distinct, in byte order", "words", '{{ list_text("value") }}', ",B,Z,_,a,a b,a-c,ab,b,é,ﬀ,😀"),
    ("list_text", "nulls do not count", "nulls", '{{ list_text("value") }}', "n,x,y"),
    ("list_text", "one value", "one", '{{ list_text("value") }}', "only"),
    ("list_text", "null where every value is", "nothing", '{{ list_text("value") }}', None),
    ("list_json", "distinct, in byte order", "words", '{{ list_json("value") }}', '["","B","Z","_","a","a b","a-c","ab","b","é","ﬀ","😀"]'),
    ("list_json", "nulls do not count", "nulls", '{{ list_json("value") }}', '["n","x","y"]'),
    ("list_json", "one value", "one", '{{ list_json("value") }}', '["only"]'),
    ("list_json", "quotes and backslashes are escaped", "one", "{{ list_json(\"concat(value, '\\\"')\") }}", '["only\\""]'),
    ("list_json", "null where every value is", "nothing", '{{ list_json("value") }}', None),
    ("quantile", "a quarter of four is the first", "four", '{{ quantile("number", 0.25) }}', "10.0000"),
    ("quantile", "half of four is the second", "four", '{{ quantile("number", 0.5) }}', "20.0000"),
    ("quantile", "a little more is the third", "four", '{{ quantile("number", 0.51) }}', "30.0000"),
    ("quantile", "three quarters of four is the third", "four", '{{ quantile("number", 0.75) }}', "30.0000"),
    ("quantile", "all of four is the last", "four", '{{ quantile("number", 1.0) }}', "40.0000"),
    ("quantile", "half of seven is the fourth", "decimals", '{{ quantile("number", 0.5) }}', "3.3333"),
    ("quantile", "a quarter of seven is the second", "decimals", '{{ quantile("number", 0.25) }}', "0.1000"),
    ("quantile", "one row", "one", '{{ quantile("number", 0.25) }}', "7.1250"),
    ("quantile", "nulls do not count", "nulls", '{{ quantile("number", 0.5) }}', "1.0000"),
    ("quantile", "null where every value is", "nothing", '{{ quantile("number", 0.5) }}', None),
]  # fmt: skip

NESTED = '{"s":"it\'s \\\\ \\"q\\"","n":1.5,"i":7,"b":true,"z":null,"l":[1],"o":{"a.b":{"it\'s":"deep"}}}'


EXTERNAL = '{"externalIds":[{"id":"1","type":"a"},{"id":"2","type":"b"},{"id":"3","type":"b"}]}'


def _at(macro: str, sentence: str, path: str, expected: str | None) -> Case:
    return Case(macro, sentence, f'({{{{ {macro}("v", [["i"], {path}]) }}}})[2]', expected, (NESTED,))


def _changed(sentence: str, removed: str, added: str, expected: str) -> Case:
    call = f"replace({{{{ json_changed(\"v\", text_array({removed}), {added}) }}}}, ' ', '')"
    return Case("json_changed", sentence, call, expected, ('{"a":"x","b":null}', '"it\'s"'))


PLAN = [
    _at("json_kinds", "a text", '["s"]', "VARCHAR"),
    _at("json_kinds", "a boolean", '["b"]', "BOOLEAN"),
    _at("json_kinds", "a JSON null", '["z"]', "NULL"),
    _at("json_kinds", "an array", '["l"]', "ARRAY"),
    _at("json_kinds", "an object below an odd key", '["o", "a.b"]', "OBJECT"),
    _at("json_kinds", "the whole", "[]", "OBJECT"),
    _at("json_kinds", "null where nothing lies", '["o", "a"]', None),
    _at("json_kinds", "a fraction", '["n"]', "DOUBLE"),
    _at("json_texts", "a text without its quotes and escapes", '["s"]', 'it\'s \\ "q"'),
    _at("json_texts", "a boolean", '["b"]', "true"),
    _at("json_texts", "a number", '["n"]', "1.5"),
    _at("json_texts", "a text below odd keys", '["o", "a.b", "it\'s"]', "deep"),
    _at("json_texts", "null where nothing lies", '["x"]', None),
    _changed("a key goes", '["b"]', "[]", '{"a":"x"}'),
    _changed("a key comes", "[]", '[["c", "w"]]', '{"a":"x","b":null,"c":"it\'s"}'),
    _changed("a key changes, another goes", '["a", "b"]', '[["b", "w"]]', '{"b":"it\'s"}'),
    _changed("what is null is not added", "[]", '[["c", "cast(null as " ~ dbt.type_string() ~ ")"]]', '{"a":"x","b":null}'),
    Case(
        "json_number",
        "a number compares",
        "case when {{ json_number(\"'DOUBLE'\", 'v') }} < 2.6 then 'less' end",
        "less",
        ("2.5",),
    ),
    Case(
        "json_number", "a text is none", "case when {{ json_number(\"'VARCHAR'\", 'v') }} < 2.6 then 'less' end", None, ("2.5",)
    ),
    Case("sha1_hex", "hexadecimal digits", '{{ sha1_hex("v") }}', "a9993e364706816aba3e25717850c26c9cd0d89d", ("abc",)),
    Case("external_id", "the first of a type", '{{ external_id("v", "b") }}', "2", (EXTERNAL,)),
    Case("external_id", "null where none is of the type", '{{ external_id("v", "c") }}', None, (EXTERNAL,)),
    Case(
        "external_id", "null where it is no list", '{{ external_id("v", "b") }}', None, ('{"externalIds":{"type":"b","id":"2"}}',)
    ),
    Case("external_id", "null where there is nothing", '{{ external_id("v", "b") }}', None, (None,)),
    *(
        Case("external_id", f"a person's, not a company's: collection {first}", '{{ external_id("v", "b") }}', expected, (text,))
        for first, expected in [('"accounts"', "2"), ('"users"', "1"), ("null", "1"), ("7", "1")]
        for text in [
            f'{{"externalIds":[{{"id":"1","type":"b","collection":{first}}},{{"id":"2","type":"b","collection":"users"}}]}}'
        ]
    ),
    *(
        Case("is_json_list", sentence, "case when {{ is_json_list(\"v\") }} then 'yes' else 'no' end", expected, (text,))
        for sentence, text, expected in [
            ("objects within", '[{"sku":"x[1]","tags":["a","b\\\\"],"n":-1.5e3},{"a":null,"b":{"c":[true]}}]', "yes"),
            ("an empty one with blanks", "[ ]", "yes"),
            ("blanks between", '[1, "a b" ,\t{"k" : "v"}]', "yes"),
            ("escapes", '["\\u00e9 \\" \\n"]', "yes"),
            ("words", "[not a list]", "no"),
            ("cut off behind an inner end", '[{"tags":["a"]', "no"),
            ("two", "[1][2]", "no"),
            ("a comma too many", "[1,]", "no"),
            ("an object", '{"a":[1]}', "no"),
            ("null is none", None, "no"),
        ]
    ),
    Case("letters_of", "letters and digits in lower case", '{{ letters_of("v") }}', "ab1c", ("Ab_1 -c ",)),
]

CASES = [*JSON, *TIMES, *NUMBERS, *TEXTS, *PLAN]
KEYS = [(case.macro, case.sentence) for case in CASES] + [(macro, sentence) for macro, sentence, *_ in AGGREGATES]
EXPECTED = dict(zip(KEYS, [*(case.expected for case in CASES), *(row[4] for row in AGGREGATES)], strict=True))
MACROS = sorted({macro for macro, _ in KEYS})

# A seed as people write it: what spreadsheets, names and addresses bring along.
SEED = [
    ["name", "note", "amount", "count", "is_used", "day"],
    ["plain", "text", "12.5", "1", "true", "2026-03-01"],
    ["nothing", "", "", "", "", ""],
    ["apostrophe", "it's", "-0.25", "-2", "false", "1999-12-31"],
    ["quote", 'say "hi"', "0", "0", "true", "2024-02-29"],
    ["backslash", "c:\\new\\", "1000000.0001", "9007199254740993", "true", "2026-03-01"],
    ["comma", "a, b", "3", "3", "true", "2026-03-01"],
    ["unicode", "Zoë 😀", "3", "3", "true", "2026-03-01"],
    ["template", "{{ 1 }} %s 100%", "3", "3", "true", "2026-03-01"],
    ["injection", "'); drop table macro_cases; --", "3", "3", "true", "2026-03-01"],
]
SEED_TYPES = {"name": "text", "note": "text", "amount": "decimal(18, 4)", "count": "bigint"}  # dbt infers the others


WHEN = "cast('2026-01-05 10:00:00.120' as timestamp)"
LANDED = {
    "order_completed": {
        "id": "'m-1'", "user_id": "'u'", "event": "'order_completed'", "event_text": "'Order Completed'", "received_at": WHEN,
        "revenue": "12.5", "quantity": "3", "is_gift": "(1 = 1)", "due_at": WHEN, "products": """'[{"sku":"x"}]'""", "note": "'[no]'",
        "context_page_url": "'https://shop.example/'", "context_user_agent": "'M'", "context_traits_first_name": "'Ada'",
        "context_consent_category_preferences_email_marketing": "(1 = 0)",
    },
    "tracks": {"id": "'m-2'", "event": "'signed_up'", "anonymous_id": "'a'", "received_at": "'2026-01-05T10:00:00Z'"},
    "aliases": {"id": "'m-3'", "user_id": "'u'", "previous_id": "'a'", "received_at": WHEN},
}  # fmt: skip


def _sql(engine: str, value: str | int | None, kind: str) -> str:
    """Return a literal in an engine's SQL, independently of the macros under test."""
    if value is None:
        return f"cast(null as {kind})"
    text = str(value).replace("\\", "\\\\").replace("'", "\\'") if engine == "spark" else str(value).replace("'", "''")
    text = text.replace("\r", "' || chr(13) || '")  # dbt reads a carriage return in a file as a line break
    return f"cast('{text}' as {kind})"


def _project(folder: Path, engine: str) -> None:
    """Write a dbt project with our macros, the cases' inputs, one query for all expressions, one for all aggregates, and a seed."""
    text = "string" if engine == "spark" else "text"
    shutil.copytree(ROOT / "dbt_project" / "macros", folder / "macros", ignore=shutil.ignore_patterns("tests"))
    settings = {
        "name": "tessera",
        "profile": "tessera",
        "on-run-start": yaml.safe_load((ROOT / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))["on-run-start"],
        "vars": {"reporting_time_zone": "Europe/Vienna"},
        "models": {"+materialized": "table"},
        "seeds": {"+column_types": {name: text if kind == "text" else kind for name, kind in SEED_TYPES.items()}},
        "flags": {"send_anonymous_usage_stats": False},
    }
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    models, seeds = folder / "models", folder / "seeds"
    models.mkdir()
    seeds.mkdir()
    with (seeds / "macro_seed.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(SEED)

    def write(name: str, sql: str) -> None:
        (models / f"{name}.sql").write_text(sql, encoding="utf-8")

    def table(columns: dict[str, str], rows: list[list[str | int | None]]) -> str:
        lines = [", ".join(_sql(engine, value, kind) for value, kind in zip(row, columns.values(), strict=True)) for row in rows]
        values = ",\n".join(f"({line})" for line in lines)
        return "{% raw %}" + f"select * from (values {values}) as rows_of_it ({', '.join(columns)})" + "{% endraw %}"

    inputs = [[number, *case.inputs, *[None] * (3 - len(case.inputs))] for number, case in enumerate(CASES)]
    write("macro_inputs", table({"case_number": "integer", "v": text, "w": text, "x": text}, inputs))
    branches = "\n".join(f"when {number} then '=' || cast({case.call} as {text})" for number, case in enumerate(CASES))
    write("macro_cases", f"select case_number, case case_number\n{branches}\nend as result from {{{{ ref('macro_inputs') }}}}")

    # Tables as Segment lands them, in the schema of this run, read by the product's own model.
    for name, columns in LANDED.items():
        write(name, "select " + ", ".join(f"{value} as {column}" for column, value in columns.items()))
    (folder / "macros" / "inputs.sql").write_text(
        "{% macro config_inputs() %}{{ return({'segment_tables': [{'schema': target.schema, 'source': 'web'}]}) }}{% endmacro %}",
        encoding="utf-8",
    )
    model = (ROOT / "dbt_project/models/staging/stg_segment_tables__events.sql").read_text(encoding="utf-8")
    write("macro_landed", "".join(f"-- depends_on: {{{{ ref('{name}') }}}}\n" for name in LANDED) + model)

    kinds = {"name": text, "value": text, "number": "decimal(18, 4)", "a": "bigint", "b": text}
    write("macro_groups", table(kinds, [[name, *row] for name, rows in GROUPS.items() for row in rows]))
    results = ",\n".join(f"'=' || cast({row[3]} as {text}) as result_{number}" for number, row in enumerate(AGGREGATES))
    write("macro_aggregates", f"select name, {results} from {{{{ ref('macro_groups') }}}} group by name")


def _build(folder: Path, engine: str, server: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Build the project with one start of dbt."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("TESSERA_", "DBT_"))} | {
        "TESSERA_TARGET": engine,
        "TESSERA_WAREHOUSE": str(folder / "warehouse.duckdb"),
        "TESSERA_SPARK_WAREHOUSE": str(folder / "spark"),
        "DBT_PROFILES_DIR": str(ROOT),
        "DO_NOT_TRACK": "1",
    }
    dbt = Path(sys.executable).parent / "dbt"
    command = [dbt, "build", "--quiet", "--no-use-colors", "--project-dir", folder]
    return subprocess.run(command, env=variables | server, cwd=folder, capture_output=True, text=True, check=False)


def _read_files(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask DuckDB's file, or Spark's Parquet files as if they lay there."""
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        for table in (folder / "spark").glob("macro_*"):
            connection.execute(f"create or replace view {table.name} as from read_parquet('{table}/*.parquet')")
        return connection.execute(sql).fetchall()


def _ask_postgres(server: dict[str, str], sql: str) -> list[tuple[Any, ...]]:
    import psycopg2

    address = {name: server[f"TESSERA_POSTGRES_{name.upper()}"] for name in ("host", "port", "user")}
    connection = psycopg2.connect(**address, dbname=server["TESSERA_POSTGRES_DATABASE"])
    connection.autocommit = True  # databases are not created in a transaction
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session", params=ENGINES)
def read(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Read:
    """An engine with the project built."""
    engine, folder = request.param, tmp_path_factory.mktemp(request.param)
    server = request.getfixturevalue(f"{engine}_server") if engine != "duckdb" else {}
    if engine == "postgres":  # no macro may depend on the zone of a session
        _ask_postgres(server, "create database macros")
        _ask_postgres(server, "alter database macros set timezone to 'Asia/Tokyo'")
        server = server | {"TESSERA_POSTGRES_DATABASE": "macros"}
    _project(folder, engine)
    result = _build(folder, engine, server)
    assert result.returncode == 0, result.stdout + result.stderr
    return partial(_ask_postgres, server) if engine == "postgres" else partial(_read_files, folder)


@pytest.fixture(scope="session")
def results(read: Read) -> dict[tuple[str, str], str | None]:
    """All cases' results on an engine, by macro and sentence."""
    cases = dict(read("select case_number, result from macro_cases"))
    columns = ", ".join(f"result_{number}" for number in range(len(AGGREGATES)))
    groups = {name: row for name, *row in read(f"select name, {columns} from macro_aggregates")}
    found = [cases[number] for number in range(len(CASES))] + [groups[row[2]][number] for number, row in enumerate(AGGREGATES)]
    return {key: None if text is None else text[1:] for key, text in zip(KEYS, found, strict=True)}


def test_tables_that_segment_landed_are_read_alike_on_every_engine(read: Read) -> None:
    columns = "message_id, type, event, user_id, anonymous_id, previous_id, properties, context, received_at"
    found = {row[0]: row[1:] for row in read(f"select {columns} from macro_landed")}
    properties, context, received_at = found["m-1"][-3:]
    assert json.loads(properties) == {
        "revenue": 12.5, "quantity": 3, "is_gift": True, "due_at": "2026-01-05T10:00:00.120Z", "products": [{"sku": "x"}], "note": "[no]",
    }  # fmt: skip
    assert json.loads(context) == {
        "page": {"url": "https://shop.example/"}, "userAgent": "M", "traits": {"first_name": "Ada"},
        "consent": {"categoryPreferences": {"email_marketing": False}},
    }  # fmt: skip
    assert received_at.rstrip("0") == "2026-01-05 10:00:00.12"
    assert found["m-1"][:5] == ("track", "Order Completed", "u", None, None)
    assert found["m-2"] == ("track", "signed_up", None, "a", None, "{}", "{}", "2026-01-05T10:00:00Z")
    assert found["m-3"][:7] == ("alias", None, "u", None, "a", "{}", "{}")


@pytest.mark.parametrize("macro", MACROS)
def test_a_macro_means_the_same_on_every_engine(results: dict[tuple[str, str], str | None], macro: str) -> None:
    expected = {sentence: value for (name, sentence), value in EXPECTED.items() if name == macro}
    found = {sentence: value for (name, sentence), value in results.items() if name == macro}
    different = [
        f"{sentence}: {found[sentence]!r}, not {value!r}" for sentence, value in expected.items() if found[sentence] != value
    ]
    assert different == []


def test_a_seed_arrives_as_it_was_written(read: Read) -> None:
    columns = ", ".join(f"cast({name} as varchar)" for name in SEED[0])
    found = [list(row) for row in read(f"select {columns} from macro_seed")]
    decimals = {"": None} | {row[2]: f"{float(row[2]):.4f}" for row in SEED[1:] if row[2]}
    expected = [
        [*(value or None for value in row[:2]), decimals[row[2]], *(value or None for value in row[3:])] for row in SEED[1:]
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_a_postgres_database_that_sorts_by_language_is_refused(postgres_server: dict[str, str], tmp_path: Path) -> None:
    try:
        _ask_postgres(
            postgres_server, "create database by_language template template0 locale_provider icu icu_locale 'und' locale 'C'"
        )
    except Exception as error:
        pytest.skip(f"this PostgreSQL knows no collations of ICU: {error}")
    _project(tmp_path, "postgres")
    result = _build(tmp_path, "postgres", postgres_server | {"TESSERA_POSTGRES_DATABASE": "by_language"})
    assert result.returncode != 0
    for part in (
        "does not sort texts by their bytes",
        "where: database by_language",
        "found: ",
        "allowed: ",
        "to do: create database",
    ):
        assert part in result.stdout + result.stderr
    assert _ask_postgres(postgres_server | {"TESSERA_POSTGRES_DATABASE": "by_language"}, TABLES) == []


def test_every_engine_macro_has_a_case() -> None:
    # Materializations: test_parity builds the models that use them.
    looped = {"connected_components", "merge_replay", "ranked_union", "succession"}
    parts = {
        "component_table",
        "drop_work_tables",
        "replace_table",
        "scalar",
        "work_prefix",
        "work_table",
    }  # what those are made of
    parts |= {"materialized"}  # a word, no value
    parts |= {"combination_key", "node_key"}  # numbers of their engine: test_parity compares what is joined by them
    parts |= {"pattern_literal"}  # of matches and extract_group
    parts |= {"require_byte_order"}  # has a test of its own
    parts |= {
        "json_item_rows",
        "json_keys_of",
        "text_array",
        "text_rows",
    }  # of the tracking plan: test_tracking_plan, test_parity
    parts |= {"append_strategy"}  # of the log of audience changes, which test_parity appends to
    parts |= {
        "book_log",
        "former_state",
        "is_increment",
        "parts_built",
        "store_rows",
    }  # of increments: test_resolution, test_parity
    parts |= {"landed_table_names"}  # of tables that others land: tests/warehouse/staging
    macros = {file.stem for file in (ROOT / "dbt_project" / "macros" / "engine").glob("*.sql")}
    assert sorted(macros - looped - parts) == MACROS
