"""Where calls name identifiers: every kind of place that identity.yml knows, from a delivered line to an identifier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import yaml

from orchestration.lib import config, load
from orchestration.lib.warehouse import Embedded
from tests.conftest import ROOT
from tests.warehouse.bare import IDENTITY, STAGING, BareProject, raw_tables

SHIPPED = yaml.safe_load((ROOT / "dbt_project" / "config" / "identity.yml").read_text(encoding="utf-8"))
IDENTIFIERS = [
    *SHIPPED["identifiers"],
    {"type": "crm_id", "found_in": ["context.externalIds[crm_id]"]},
    {"type": "ios_id", "found_in": [{"path": "context.device.id", "when": {"context.device.type": "ios"}}]},
    {
        "type": "ios_idfa",
        "found_in": [
            {
                "path": "context.device.advertisingId",
                "when": {"context.device.type": "ios", "context.device.adTrackingEnabled": True},
            }
        ],
    },
    {"type": "loyalty_card", "found_in": ["properties.card", "traits.loyalty.card"]},
    {"type": "ga_client_id", "found_in": ["context.integrations.Google Analytics.clientId"]},
]
CALLS: dict[str, tuple[dict[str, Any], set[tuple[str, str]]]] = {
    "natural places": (
        {
            "type": "identify",
            "userId": "u1",
            "anonymousId": "a1",
            "traits": {"email": " Ada@Example.com", "phone": "020 7946 0000"},
        },
        {("user_id", "u1"), ("anonymous_id", "a1"), ("email", "ada@example.com"), ("phone", "+442079460000")},
    ),
    "context.traits stand in for traits": (
        {
            "type": "track",
            "event": "X",
            "userId": "u2",
            "traits": {"email": ""},
            "context": {"traits": {"email": "b@example.com"}},
        },
        {("user_id", "u2"), ("email", "b@example.com")},
    ),
    "the address of a page names two more": (
        {
            "type": "page",
            "anonymousId": "a3",
            "context": {"page": {"url": "https://shop.example/?utm_source=x&ajs_uid=u3&ajs_aid=a33#top"}},
        },
        {("anonymous_id", "a3"), ("anonymous_id", "a33"), ("user_id", "u3")},
    ),
    "an address that repeats what the call says": (
        {"type": "page", "anonymousId": "a4", "context": {"page": {"url": "https://shop.example/?ajs_aid=a4"}}},
        {("anonymous_id", "a4")},
    ),
    "an address says them encoded": (
        {
            "type": "page",
            "anonymousId": "a16",
            "context": {"page": {"url": "https://shop.example/?ajs_uid=ada%2Bnews%40shop.example&ajs_aid=auth0%7c16"}},
        },
        {("anonymous_id", "a16"), ("anonymous_id", "auth0|16"), ("user_id", "ada+news@shop.example")},
    ),
    "external ids of a company": (
        {
            "type": "track",
            "event": "X",
            "anonymousId": "a17",
            "context": {"externalIds": [{"id": "C17", "type": "crm_id", "collection": "accounts", "encoding": "none"}]},
        },
        {("anonymous_id", "a17")},
    ),
    "external ids": (
        {
            "type": "track",
            "event": "X",
            "anonymousId": "a5",
            "context": {
                "externalIds": [
                    {"id": "other", "type": "x"},
                    {"id": "C5", "type": "crm_id", "collection": "users", "encoding": "none"},
                ]
            },
        },
        {("anonymous_id", "a5"), ("crm_id", "C5")},
    ),
    "external ids that are none": (
        {"type": "track", "event": "X", "anonymousId": "a6", "context": {"externalIds": {"crm_id": "C6"}}},
        {("anonymous_id", "a6")},
    ),
    "a device of the wanted kind": (
        {"type": "track", "event": "X", "anonymousId": "a7", "context": {"device": {"id": "D7", "type": "ios"}}},
        {("anonymous_id", "a7"), ("ios_id", "D7")},
    ),
    "a device of another kind": (
        {"type": "track", "event": "X", "anonymousId": "a8", "context": {"device": {"id": "D8", "type": "android"}}},
        {("anonymous_id", "a8")},
    ),
    "a device that may be tracked": (
        {
            "type": "track",
            "event": "X",
            "anonymousId": "a13",
            "context": {"device": {"advertisingId": "AD13", "type": "ios", "adTrackingEnabled": True}},
        },
        {("anonymous_id", "a13"), ("ios_idfa", "AD13")},
    ),
    "a device that may not be tracked": (
        {
            "type": "track",
            "event": "X",
            "anonymousId": "a14",
            "context": {"device": {"advertisingId": "AD14", "type": "ios", "adTrackingEnabled": False}},
        },
        {("anonymous_id", "a14")},
    ),
    "a key with a blank": (
        {
            "type": "track",
            "event": "X",
            "anonymousId": "a15",
            "context": {"integrations": {"Google Analytics": {"clientId": "1033.15"}}},
        },
        {("anonymous_id", "a15"), ("ga_client_id", "1033.15")},
    ),
    "a property, before a nested trait": (
        {"type": "identify", "userId": "u9", "traits": {"loyalty": {"card": "K9"}}},
        {("user_id", "u9"), ("loyalty_card", "K9")},
    ),
    "a property": (
        {"type": "track", "event": "X", "userId": "u10", "properties": {"card": "K10"}},
        {("user_id", "u10"), ("loyalty_card", "K10")},
    ),
    "the traits of a group call are the group's": (
        {"type": "group", "userId": "u11", "groupId": "g1", "traits": {"email": "office@opus.example", "phone": "020 7946 0001"}},
        {("user_id", "u11")},
    ),
    "previousId of an alias call": (
        {"type": "alias", "userId": "u12", "previousId": "a12"},
        {("user_id", "u12"), ("anonymous_id", "a12")},
    ),
}


def test_each_place_gives_its_identifier(tmp_path: Path) -> None:
    at = {"receivedAt": "2026-01-01T10:00:00Z", "timestamp": "2026-01-01T10:00:00Z"}
    lines = [json.dumps(call | at | {"messageId": name}) for name, (call, _) in CALLS.items()]
    (tmp_path / "calls.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    connection = duckdb.connect()
    raw_tables(connection)
    load.load_files(Embedded(connection), [tmp_path / "calls.ndjson"], source="web", region="GB")
    chosen = config.Identity.model_validate(SHIPPED | {"identifiers": IDENTIFIERS, "alias": "anonymous_id"}).compiled()
    BareProject(connection, chosen).run((*STAGING, *IDENTITY))
    found: dict[str, set[tuple[str, str]]] = {name: set() for name in CALLS}
    for event, kind, value in connection.execute(
        "select first_event_id, identifier_type, identifier_value from identity.int_identifiers_observed"
    ).fetchall():
        found[event].add((kind, value))
    assert found == {name: identifiers for name, (_, identifiers) in CALLS.items()}
    alias = connection.execute("select rule, status from identity.identity_links where identifier_value_b = 'a12'").fetchall()
    assert alias == [("alias", "used")]
    accounts = "select group_id, count(*) from events.events where group_id is not null group by 1"
    assert connection.execute(accounts).fetchall() == [("g1", 1)]
