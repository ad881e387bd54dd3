"""What TESSERA_AS_OF may be, and the names made of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestration.lib.errors import UsageError
from orchestration.lib.runs import parse_as_of, run_name, start_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2011-12-10", "2011-12-10T00:00:00"),
        (" 2011-12-10 ", "2011-12-10T00:00:00"),
        ("2011-12-10 13:14:15", "2011-12-10T13:14:15"),
        ("2011-12-10T13:14", "2011-12-10T13:14:00"),
        ("2011-12-10T00:00:00Z", "2011-12-10T00:00:00"),
        ("2011-12-10T00:30:00+01:00", "2011-12-09T23:30:00"),
        ("2011-12-31T20:00:00-05:00", "2012-01-01T01:00:00"),
        ("2024-02-29T23:59:59.999999Z", "2024-02-29T23:59:59"),
    ],
)
def test_a_time_is_read_as_utc_in_whole_seconds(text: str, expected: str) -> None:
    assert parse_as_of(text) == expected


@pytest.mark.parametrize(
    "text", ["yesterday", "", " ", "10/12/2011", "2011-13-01", "2011-02-29", "2011-12-10T25:00", "2011-12-10T00:00 CET", "now"]
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_as_of(text)
    assert caught.value.exit_code == 2
    assert repr(text) in str(caught.value)
    assert "2011-12-10" in caught.value.allowed


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-01:00"])
def test_a_time_that_no_calendar_holds_in_utc_is_refused_too(text: str) -> None:
    with pytest.raises(UsageError):
        parse_as_of(text)


def test_reading_a_time_again_changes_nothing() -> None:
    once = parse_as_of("2011-12-10T00:30:00.5+01:00")
    assert parse_as_of(once) == once


def test_the_start_of_a_run_has_the_same_form() -> None:
    moment = datetime(2011, 12, 10, 1, 2, 3, 987654, tzinfo=UTC)
    assert start_time(moment.timestamp()) == "2011-12-10T01:02:03"
    assert parse_as_of(start_time(moment.timestamp())) == "2011-12-10T01:02:03"


def test_a_run_is_named_by_its_as_of_time_and_the_start_of_its_id() -> None:
    assert run_name("2011-12-10T01:02:03", "0123456789abcdef") == "20111210T010203-01234567"
