"""What TESSERA_AS_OF may be, and the names made of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestration.lib.errors import TesseraError, UsageError
from orchestration.lib.runs import parse_as_of, require_data, run_name, start_time, window_days


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


def test_a_window_is_replayed_as_of_the_end_of_each_of_its_days() -> None:
    days = window_days("2024-02-28", "2024-03-01", now="2024-03-01T00:00:00")
    assert days == ["2024-02-29T00:00:00", "2024-03-01T00:00:00"]


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2026-02-02", "2026-02-01", "holds no day"),
        ("2026-02-02", "2026-02-02", "--from 2026-02-02 --to 2026-02-03"),
        ("2026-02-02", "2026-03-02", "--to 2026-03-01 or earlier"),
        ("2026-02-30", "2026-03-01", "--from is not a day"),
        ("2026-02-01", "tomorrow", "--to is not a day"),
        ("2026-02-01T10:00", "2026-02-02", "--from is not a day"),
    ],
)
def test_a_window_that_cannot_be_replayed_is_refused_with_what_to_do(start: str, end: str, said: str) -> None:
    with pytest.raises(UsageError, match="to do:") as caught:
        window_days(start, end, now="2026-03-01T23:59:59")
    assert said in str(caught.value)


def test_a_window_before_the_first_message_is_no_replay() -> None:
    first = datetime(2026, 2, 1, 10)  # noqa: DTZ001 (UTC without a zone, as everywhere)
    require_data(["2026-02-02T00:00:00"], (first, first))
    for received in (None, (first, first)):
        with pytest.raises(TesseraError, match=r"There is nothing to replay.*\n.*\n.*\n  to do:"):
            require_data(["2026-02-01T00:00:00"], received)
