"""Object tables: what is known beside events (spend, engagement, answers, tickets, enrichment), one row a line of CSV, NDJSON or Parquet.

Belongs: the shapes that are read, as data, and how a row becomes typed. May not: files, the warehouse (`load`).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pyarrow as pa

from orchestration.lib.warehouse import TABLES


@dataclass(frozen=True)
class Shape:
    """A file's columns and the raw table they go to.

    `columns` maps a raw column to the file's (default: the same name), several are joined by |. `required` are columns that the file
    must have, `filled` raw columns that every row must fill, `one_of` columns of which a row must fill one. `fixed` are values for
    every row, `words` the values that are allowed (in lower case), `scale` what a number is multiplied with.
    """

    table: str
    required: tuple[str, ...]
    filled: tuple[str, ...]
    one_of: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scale: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def types(self) -> dict[str, str]:
        """The raw table's columns and their types, without those that the loader adds."""
        return dict(TABLES[self.table].columns[:-2])


# By the name of their files: landing/tables/<name>*.csv (.ndjson, .jsonl, .parquet; text also .gz).
SHAPES = {
    "ad_spend": Shape(
        "raw.ad_spend",
        required=("platform", "account_id", "account_name", "campaign_id", "campaign_name", "clicks", "impressions", "spend", "date_day"),
        filled=("platform", "spend", "date_day"),
    ),
    "google_ads_campaign_stats": Shape(
        "raw.ad_reports",
        required=("customer_id", "id", "date", "clicks", "impressions", "cost_micros"),
        filled=("account_id", "campaign_id", "spend", "date_day"),
        columns={
            "account_id": ("customer_id",), "campaign_id": ("id",), "date_day": ("date",), "spend": ("cost_micros",),
            "synced_at": ("_fivetran_synced",), "report_key": ("_fivetran_id", "device", "ad_network_type"),
        },
        fixed={"platform": "google_ads"},
        scale={"spend": Decimal("0.000001")},
    ),
    "google_ads_campaign_history": Shape(
        "raw.ad_campaigns",
        required=("id", "name", "customer_id", "updated_at"),
        filled=("campaign_id",),
        columns={"campaign_id": ("id",), "campaign_name": ("name",), "account_id": ("customer_id",)},
        fixed={"platform": "google_ads"},
    ),
    "facebook_ads_basic_ad": Shape(
        "raw.ad_reports",
        required=("ad_id", "date", "account_id", "impressions", "inline_link_clicks", "spend"),
        filled=("ad_id", "spend", "date_day"),
        columns={
            "date_day": ("date",), "clicks": ("inline_link_clicks",), "synced_at": ("_fivetran_synced",), "report_key": ("ad_id",),
        },
        fixed={"platform": "facebook_ads"},
    ),
    "facebook_ads_ad_history": Shape(
        "raw.ad_campaigns",
        required=("id", "account_id", "campaign_id", "updated_time"),
        filled=("ad_id", "campaign_id"),
        columns={"ad_id": ("id",), "campaign_name": ("campaign_name",), "updated_at": ("updated_time",)},
        fixed={"platform": "facebook_ads"},
    ),
    "microsoft_ads_campaign_performance_daily_report": Shape(
        "raw.ad_reports",
        required=("date", "account_id", "campaign_id", "clicks", "impressions", "spend"),
        filled=("account_id", "campaign_id", "spend", "date_day"),
        columns={
            "date_day": ("date",), "currency": ("currency_code",), "synced_at": ("_fivetran_synced",),
            "report_key": ("device_os", "device_type", "network", "ad_distribution", "bid_match_type", "delivered_match_type",
                           "top_vs_other", "budget_association_status", "budget_name", "currency_code"),
        },
        fixed={"platform": "microsoft_ads"},
    ),
    "microsoft_ads_campaign_history": Shape(
        "raw.ad_campaigns",
        required=("id", "name", "account_id", "modified_time"),
        filled=("campaign_id",),
        columns={"campaign_id": ("id",), "campaign_name": ("name",), "updated_at": ("modified_time",)},
        fixed={"platform": "microsoft_ads"},
    ),
    "message_engagements": Shape(
        "raw.message_engagements",
        required=("message_id", "channel", "event", "recipient", "occurred_at"),
        filled=("message_id", "channel", "event", "recipient", "occurred_at"),
        words={
            "channel": ("email", "sms"),
            "event": ("sent", "delivered", "opened", "clicked", "bounced", "unsubscribed", "complained"),
        },
    ),
    "survey_answers": Shape(
        "raw.survey_answers",
        required=("response_id", "survey", "question", "answered_at"),
        filled=("response_id", "survey", "question", "answered_at"),
        one_of=("user_id", "email"),
    ),
    "support_tickets": Shape(
        "raw.support_tickets",
        required=("ticket_id", "status", "opened_at"),
        filled=("ticket_id", "status", "opened_at"),
        one_of=("user_id", "email"),
        words={"status": ("open", "pending", "solved", "closed")},
    ),
    "enrichments": Shape("raw.enrichments", required=("observed_at",), filled=("observed_at",), one_of=("email", "domain")),
}  # fmt: skip


def name_of(file_name: str) -> str | None:
    """Return the shape that a file's name begins with (the longest), or None."""
    return max((name for name in SHAPES if file_name.lower().startswith(name)), key=len, default=None)


def schema(shape: Shape) -> pa.Schema:
    """Return the types of a shape's raw columns, then line_number."""
    words = {"varchar": pa.string(), "bigint": pa.int64(), "decimal(18,4)": pa.decimal128(18, 4), "date": pa.date32()}
    words["timestamp"] = pa.timestamp("us")
    return pa.schema([(name, words[kind]) for name, kind in shape.types.items()] + [("line_number", pa.int64())])


def from_csv(line: bytes, header: Sequence[str]) -> dict[str, str | None]:
    """Return the fields of a line of CSV. A ValueError gives the reason to reject it, without its content."""
    try:
        [values] = csv.reader([line.decode()], strict=True)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except csv.Error:
        raise ValueError("a quote is not closed on its line") from None
    if len(values) != len(header):
        raise ValueError(f"{len(values)} fields where the header has {len(header)}")
    return {name: value.strip() or None for name, value in zip(header, values, strict=True)}


def from_json(line: bytes) -> dict[str, str | None]:
    """Return the fields of a JSON object as texts. A ValueError gives the reason to reject it, without its content."""
    try:
        row = json.loads(line, parse_float=str, parse_int=str)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(row, dict):
        raise ValueError("JSON, but not an object")
    return {str(name).lower(): text_of(value) for name, value in row.items()}


def text_of(value: Any) -> str | None:
    """Return a field as text: times in ISO 8601, objects in JSON; None for null and blank."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool | dict | list):
        return json.dumps(value)
    return None if value is None else str(value).replace("\0", "\ufffd").strip() or None


def typed(fields: Mapping[str, str | None], shape: Shape) -> dict[str, Any]:
    """Return a row of the raw table. A ValueError gives the reason to reject the fields, without their content."""
    row: dict[str, Any] = dict(shape.fixed)
    for name, kind in shape.types.items():
        if name in shape.fixed:
            continue
        found = [fields.get(source) for source in shape.columns.get(name, (name,))]
        text = "|".join(part or "" for part in found) if len(found) > 1 else found[0]
        try:
            row[name] = PARSERS[kind](text) if text else None
        except (ValueError, ArithmeticError):
            raise ValueError(f"{name} cannot be read") from None
        if name in shape.scale and row[name] is not None:
            row[name] = money(str(Decimal(str(text)) * shape.scale[name]))
        if name in shape.words and row[name]:
            row[name] = row[name].lower()
            if row[name] not in shape.words[name]:
                raise ValueError(f"{name} is none of {', '.join(shape.words[name])}")
    if missing := [name for name in shape.filled if row[name] is None]:
        raise ValueError(f"{' and '.join(missing)} missing")
    if shape.one_of and not any(row[name] for name in shape.one_of):
        raise ValueError(f"{' and '.join(shape.one_of)} missing")
    return row


def count(text: str) -> int:
    """Return a number of things; some exports write 12.0."""
    number = Decimal(text)
    if not 0 <= number < 2**63 or number != int(number):
        raise ValueError
    return int(number)


def money(text: str) -> Decimal:
    """Return a decimal with four digits after the point."""
    number = Decimal(text)
    if not abs(number) < 10**14:
        raise ValueError
    return number.quantize(Decimal("0.0001"), ROUND_HALF_UP)


def day(text: str) -> date:
    """Return the day of a date or a time in ISO 8601."""
    return datetime.fromisoformat(text).date()


def utc(text: str) -> datetime:
    """Return a time in ISO 8601 in UTC; without an offset it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


PARSERS: dict[str, Callable[[str], Any]] = {
    "varchar": str,
    "bigint": count,
    "decimal(18,4)": money,
    "date": day,
    "timestamp": utc,
}
