"""The demo shop: what `generate` promises, read back from the files it writes, without help from its own code."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import phonenumbers
import pytest

from orchestration.lib import demo_shop
from orchestration.lib.demo_shop import AS_OF, DAYS, LAST_DAY, ShopSummary, generate
from orchestration.lib.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
EVENTS = 40_000
TYPES = {"page", "track", "identify", "group"}
PLANNED = {
    *("Products Searched", "Product List Viewed", "Product Viewed", "Product Added", "Checkout Started"),
    *("Order Completed", "Order Refunded", "Order Cancelled", "Signed Up", "Video Watched", "Page Scrolled"),
    "Segment Consent Preference Updated",
}
ZEROS = "00000000-0000-0000-0000-000000000000"
JUNK = {ZEROS, "null", "undefined", "anonymous", "-1", "test@test.com", "noreply@example.com", "000000000"}
CLICK_IDS = {"gclid": "google", "msclkid": "bing", "fbclid": "facebook"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


END = at(AS_OF)
START = END - timedelta(days=DAYS)


@dataclass
class Shop:
    """The shop as a reader sees it. Lines carry their file; `good` holds first deliveries of good calls only."""

    folder: Path
    truth: Path
    summary: ShopSummary
    lines: list[tuple[str, dict[str, Any] | None]]
    person_of: dict[str, str]
    good: list[dict[str, Any]] = field(default_factory=list)
    bad: Counter[str] = field(default_factory=Counter)
    repeats: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)

    def tracks(self, event: str) -> list[dict[str, Any]]:
        return [call for call in self.good if call.get("event") == event]

    def person(self, call: dict[str, Any]) -> str:
        return self.person_of[call["messageId"]]


def read_calls(folder: Path) -> list[tuple[str, dict[str, Any] | None]]:
    calls: list[tuple[str, dict[str, Any] | None]] = []
    for path in sorted(folder.glob("shop_*/*.ndjson.gz")):
        for line in gzip.decompress(path.read_bytes()).split(b"\n")[:-1]:
            try:
                calls.append((f"{path.parent.name}/{path.name}", json.loads(line)))
            except ValueError:
                calls.append((f"{path.parent.name}/{path.name}", None))
    return calls


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def problem(call: dict[str, Any] | None) -> str | None:
    """Say what is wrong with a line, as a tracking plan for this shop would."""
    if call is None:
        return "broken JSON"
    if call["type"] not in TYPES:
        return "unknown type"
    if not call.get("anonymousId") and not call.get("userId"):
        return "no ids"
    if call["type"] == "track" and "event" not in call:
        return "no event name"
    if "timestamp" in call and not "2025" <= call["timestamp"][:4] <= "2026":
        return f"time {call['timestamp'][:4]}"
    if call["type"] == "track" and call["event"] not in PLANNED:
        return "unplanned event"
    if call.get("event") == "Order Completed":
        revenue = call["properties"]["revenue"]
        if isinstance(revenue, str):
            return "text revenue"
        if revenue < 0:
            return "negative revenue"
    return None


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    base = tmp_path_factory.mktemp("shop")
    summary = generate(base / "landing", base / "truth", events=EVENTS)
    person_of = {row["message_id"]: row["person_id"] for row in read_csv(base / "truth" / "events.csv")}
    shop = Shop(base / "landing", base / "truth", summary, read_calls(base / "landing"), person_of)
    first: dict[str, tuple[str, dict[str, Any]]] = {}
    readable = ((file, call) for file, call in shop.lines if call)
    for file, call in sorted(readable, key=lambda pair: pair[1]["receivedAt"]):
        if call["messageId"] in first:
            shop.repeats.append((first[call["messageId"]][0], file, first[call["messageId"]][1], call))
            continue
        first[call["messageId"]] = file, call
        if not problem(call):
            shop.good.append(call)
    shop.bad = Counter(kind for _, call in shop.lines if (kind := problem(call)))
    return shop


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def times(call: dict[str, Any]) -> datetime:
    return at(call["receivedAt"]) - (at(call["sentAt"]) - at(call["originalTimestamp"]))


def preferences(call: dict[str, Any]) -> dict[str, bool] | None:
    return call["context"].get("consent", {}).get("categoryPreferences")


def emails_in(call: dict[str, Any]) -> list[str]:
    holders = call.get("traits") or {}, call["context"].get("traits") or {}
    return [traits["email"] for traits in holders if "email" in traits]


# The same shop every time ------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_also_in_another_process_with_another_hash_seed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        generate(tmp_path / name / "landing", tmp_path / name / "truth", events=3_000)
    script = (
        "import sys; from pathlib import Path; from orchestration.lib.demo_shop import generate;"
        "generate(Path(sys.argv[1]) / 'landing', Path(sys.argv[1]) / 'truth', events=3_000)"
    )
    elsewhere = {"PYTHONHASHSEED": "4711", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, str(tmp_path / "three")]
    subprocess.run(command, check=True, env=os.environ | elsewhere, cwd=tmp_path)
    assert digests(tmp_path / "one") == digests(tmp_path / "two") == digests(tmp_path / "three")


def test_another_seed_gives_another_shop(tmp_path: Path) -> None:
    generate(tmp_path / "a", tmp_path / "ta", events=1_000, seed=1)
    generate(tmp_path / "b", tmp_path / "tb", events=1_000, seed=2)
    assert not set(digests(tmp_path / "a").values()) & set(digests(tmp_path / "b").values())


def test_a_larger_shop_begins_with_the_people_of_a_smaller_one(shop: Shop, tmp_path: Path) -> None:
    generate(tmp_path / "landing", tmp_path / "truth", events=3_000)
    small = {row["message_id"]: row["person_id"] for row in read_csv(tmp_path / "truth" / "events.csv")}
    same = sum(shop.person_of.get(message) == person for message, person in small.items())
    assert same > 0.9 * len(small)


@pytest.mark.parametrize("events", [1_000, 7_000, 40_000])
def test_the_number_of_lines_asked_for_is_respected(events: int, tmp_path: Path) -> None:
    summary = generate(tmp_path / "landing", tmp_path / "truth", events=events, seed=11)
    assert len(read_calls(tmp_path / "landing")) == summary.events == pytest.approx(events, rel=0.03)


def test_files_asked_for_are_day_ranges_that_do_not_overlap(tmp_path: Path) -> None:
    summary = generate(tmp_path / "landing", tmp_path / "truth", events=5_000, files=10)
    assert summary.files == 20
    assert len(list((tmp_path / "landing" / "shop_web").iterdir())) == 10


@pytest.mark.parametrize("size", [{"events": 999}, {"events": 5_000, "files": 0}, {"events": 5_000, "files": 401}])
def test_a_size_out_of_range_is_refused_and_nothing_is_written(size: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="allowed: 1000 events or more"):
        generate(tmp_path / "landing", tmp_path / "truth", **size)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_earlier_shop_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(tmp_path / "landing", tmp_path / "truth", events=1_000)
    before = digests(tmp_path)

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(demo_shop, "_ad_spend", fail)
    with pytest.raises(OSError, match="no space left"):
        generate(tmp_path / "landing", tmp_path / "truth", events=2_000)
    assert digests(tmp_path) == before


def test_nothing_unfinished_is_ever_in_the_landing_folder_and_leftovers_of_a_killed_run_are_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leftover = tmp_path / ".landing.demo_shop.tmp" / "shop_web" / "events-0001.spool"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half a line")
    seen = []
    sort = demo_shop._sort
    monkeypatch.setattr(demo_shop, "_sort", lambda spool: (seen.append((tmp_path / "landing").exists()), sort(spool)))
    generate(tmp_path / "landing", tmp_path / "truth", events=1_000)
    generate(tmp_path / "fresh", tmp_path / "truth", events=1_000)
    assert not any(seen[:8])
    assert digests(tmp_path / "landing") == digests(tmp_path / "fresh")
    assert {path.name for path in tmp_path.iterdir()} == {"landing", "fresh", "truth"}


def test_a_smaller_shop_replaces_a_larger_one_and_leaves_foreign_files_alone(tmp_path: Path) -> None:
    generate(tmp_path / "landing", tmp_path / "truth", events=5_000, files=9)
    foreign = tmp_path / "landing" / "shop_web" / "mine.ndjson"
    foreign.write_text("{}\n")
    generate(tmp_path / "landing", tmp_path / "truth", events=2_000, files=3)
    generate(tmp_path / "fresh", tmp_path / "truth", events=2_000, files=3)
    foreign.unlink()
    assert digests(tmp_path / "landing") == digests(tmp_path / "fresh")


# What a reader may rely on -----------------------------------------------------------------------------------------


def test_the_summary_says_what_the_files_hold(shop: Shop) -> None:
    late = sum(at(call["receivedAt"]) - times(call) > timedelta(hours=1) for call in shop.good)
    assert shop.summary == ShopSummary(
        people=len(set(shop.person_of.values())),
        events=len(shop.lines),
        orders=len(shop.tracks("Order Completed")),
        refunds=len(shop.tracks("Order Refunded")),
        bad_lines=sum(shop.bad.values()),
        duplicates=len(shop.repeats),
        late=late,
        files=len({file for file, _ in shop.lines}),
    )


def test_files_follow_each_other_in_order_of_received_at(shop: Shop) -> None:
    for source in ("shop_web", "shop_backend"):
        received = [call["receivedAt"] for file, call in shop.lines if call and file.startswith(source)]
        assert received == sorted(received)


def test_the_shop_lives_exactly_400_days_and_nothing_arrives_after_its_end(shop: Shop) -> None:
    days = {call["receivedAt"][:10] for call in shop.good}
    assert days == {(START + timedelta(days=n)).date().isoformat() for n in range(DAYS)}
    assert max(days) == LAST_DAY.isoformat() == "2026-10-31"
    assert at(AS_OF) == at("2026-11-01T00:00:00Z")
    assert all(START <= at(call["receivedAt"]) < END for _, call in shop.lines if call)
    assert all(START <= times(call) < END for call in shop.good)


def test_good_calls_obey_the_spec(shop: Shop) -> None:
    common = {"type", "channel", "messageId", "context", "originalTimestamp", "sentAt", "receivedAt"}
    own = {
        "page": {"name", "properties"},
        "track": {"event", "properties"},
        "identify": {"traits"},
        "group": {"groupId", "traits"},
    }
    ids = {"anonymousId", "userId", "timestamp"}
    for call in shop.good:
        assert common | own[call["type"]] <= call.keys() <= common | own[call["type"]] | ids
        assert len(call["messageId"]) <= 100
        assert all(call[name].endswith("Z") and len(call[name]) == 24 for name in common if name.endswith("At"))
        if "timestamp" in call:
            assert at(call["timestamp"]) == times(call)
        if call["channel"] == "browser":
            page = call["context"]["page"]
            assert page.keys() == {"url", "path", "referrer", "search", "title"}
            assert page["url"].endswith(page["path"] + page["search"])
            assert "anonymousId" in call
        else:
            assert "page" not in call["context"]


def test_orders_refunds_and_cancellations_come_from_the_server_with_a_user_id_or_a_guests_email(shop: Shop) -> None:
    served = {"Order Completed", "Order Refunded", "Order Cancelled"}
    for file, call in shop.lines:
        if call and not problem(call):
            assert (call.get("event") in served) == (call["channel"] == "server") == file.startswith("shop_backend/")
            if call["channel"] == "server":
                assert ("userId" in call) != ("anonymousId" in call and bool(emails_in(call)))


def test_money_adds_up_to_the_cent_by_segments_definitions(shop: Shop) -> None:
    for call in shop.tracks("Order Completed"):
        p = call["properties"]
        cents = {k: round(p[k] * 100) for k in ("revenue", "subtotal", "total", "tax", "shipping", "discount")}
        assert all(p[k] == cents[k] / 100 for k in cents)
        goods = sum(round(item["price"] * 100) * item["quantity"] for item in p["products"])
        assert cents["revenue"] == cents["subtotal"] == goods - cents["discount"] > 0
        assert cents["total"] == cents["revenue"] + cents["tax"] + cents["shipping"]
        assert p["currency"] == "EUR"
        wanted = {"product_id", "sku", "name", "category", "brand", "price", "quantity"}
        assert all(item.keys() == wanted for item in p["products"])


def test_a_product_has_one_id_one_sku_and_one_price(shop: Shop) -> None:
    items = [item for call in shop.tracks("Order Completed") for item in call["properties"]["products"]]
    items += [call["properties"] for call in shop.tracks("Product Viewed")]
    products = {tuple(item[k] for k in ("product_id", "sku", "name", "category", "brand", "price")) for item in items}
    assert len(products) > 15
    assert all(len({product[n] for product in products}) == len(products) for n in range(3))


def test_each_order_has_one_id_and_its_checkout_in_the_browser(shop: Shop) -> None:
    orders = [call["properties"]["order_id"] for call in shop.tracks("Order Completed")]
    checkouts = {call["properties"]["order_id"]: call for call in shop.tracks("Checkout Started")}
    assert len(orders) == len(set(orders))
    assert sum(order in checkouts for order in orders) > 0.95 * len(orders)
    for call in shop.tracks("Order Completed"):
        checkout = checkouts.get(call["properties"]["order_id"])
        if checkout:
            assert shop.person(checkout) == shop.person(call)
            assert timedelta(0) < times(call) - times(checkout) < timedelta(minutes=2)


def test_refunds_are_full_partial_and_at_times_of_unknown_orders(shop: Shop) -> None:
    revenue = {c["properties"]["order_id"]: c["properties"]["revenue"] for c in shop.tracks("Order Completed")}
    calls = [call["properties"] for call in shop.tracks("Order Refunded")]
    refunds = [(refund["total"], revenue.get(refund["order_id"])) for refund in calls]
    known = [(total, paid) for total, paid in refunds if paid is not None]
    assert all(0 < total <= paid for total, paid in known)
    assert 0.04 < len(refunds) / len(revenue) < 0.10
    assert sum(total == paid for total, paid in known) > 50
    assert sum(total < paid for total, paid in known) > 20
    assert 3 <= len(refunds) - len(known) <= 30
    assert 10 <= len(shop.tracks("Order Cancelled")) <= 0.03 * len(revenue)


# The people --------------------------------------------------------------------------------------------------------


def orders_by_person(shop: Shop) -> dict[str, list[datetime]]:
    found = defaultdict(list)
    for call in shop.tracks("Order Completed"):
        found[shop.person(call)].append(times(call))
    return found


def test_there_are_enough_people_buyers_and_orders_to_learn_from(shop: Shop) -> None:
    orders = orders_by_person(shop)
    assert 1_200 <= shop.summary.people <= 2_000
    assert len(orders) >= 600
    assert sum(len(days) > 1 for days in orders.values()) >= 350
    assert 2_500 <= shop.summary.orders <= 3_500


@pytest.mark.parametrize("days_before_the_end", [60, 120, 150, 180])
def test_both_labels_are_frequent_at_every_cutoff(shop: Shop, days_before_the_end: int) -> None:
    cutoff = END - timedelta(days=days_before_the_end)
    buyers = {p: days for p, days in orders_by_person(shop).items() if min(days) < cutoff}
    again = sum(any(cutoff <= day < cutoff + timedelta(days=60) for day in days) for days in buyers.values())
    assert again >= 150
    assert len(buyers) - again >= 150


def test_of_buyers_with_equally_old_orders_those_who_browsed_lately_buy_again_more_often(shop: Shop) -> None:
    orders, visits = orders_by_person(shop), defaultdict(list)
    for call in shop.good:
        if call["channel"] == "browser":
            visits[shop.person(call)].append(times(call))
    outcome: dict[bool, list[bool]] = {True: [], False: []}
    for cutoff in (END - timedelta(days=days) for days in (60, 120, 180, 240)):
        month_ago, later = cutoff - timedelta(days=30), cutoff + timedelta(days=60)
        for person, days in orders.items():
            before = [day for day in days if day < cutoff]
            if before and cutoff - timedelta(days=120) < max(before) < month_ago:
                browsed = any(month_ago <= day < cutoff for day in visits[person])
                outcome[browsed].append(any(cutoff <= day < later for day in days))
    rates = {browsed: sum(results) / len(results) for browsed, results in outcome.items()}
    assert rates[True] > 1.5 * rates[False] > 0


def test_channels_make_orders_at_different_rates(shop: Shop) -> None:
    buyers_days = {(shop.person(c), times(c).date()) for c in shop.tracks("Order Completed")}
    visits: dict[str, list[bool]] = defaultdict(list)
    for call in shop.good:
        campaign = call["context"].get("campaign")
        if call["type"] == "page" and campaign:
            visits[campaign["source"]].append((shop.person(call), times(call).date()) in buyers_days)
    rate = {source: sum(bought) / len(bought) for source, bought in visits.items()}
    assert rate.keys() == {"google", "bing", "facebook", "newsletter"}
    assert rate["newsletter"] > rate["google"] > 1.3 * rate["facebook"] > 0


# The hard cases ----------------------------------------------------------------------------------------------------


def share(part: int, whole: int) -> float:
    return part / whole


def values_by_person(shop: Shop, value: Callable[[dict[str, Any]], str | None]) -> dict[str, set[str]]:
    found = defaultdict(set)
    for call in shop.good:
        if (v := value(call)) and v not in JUNK:
            found[shop.person(call)].add(v)
    return found


def people_by_value(shop: Shop, value: Callable[[dict[str, Any]], str | None]) -> dict[str, set[str]]:
    found = defaultdict(set)
    for call in shop.good:
        if (v := value(call)) and v not in JUNK:
            found[v].add(shop.person(call))
    return found


def test_about_two_in_a_hundred_lines_are_bad_in_every_way_that_happens(shop: Shop) -> None:
    assert 0.015 < sum(shop.bad.values()) / len(shop.lines) < 0.025
    kinds = {"broken JSON", "unknown type", "no ids", "no event name", "time 1970", "time 2099", "time infi"}
    kinds |= {"unplanned event", "text revenue", "negative revenue"}
    assert shop.bad.keys() == kinds
    assert min(shop.bad.values()) >= 5


def test_people_have_one_to_four_devices_and_browse_before_they_are_known(shop: Shop) -> None:
    devices = values_by_person(shop, lambda call: call.get("anonymousId"))
    counts = Counter(len(ids) for ids in devices.values())
    assert all(counts[n] > 10 for n in (1, 2, 3, 4))
    known_since = {}
    for call in shop.good:
        if call["type"] == "identify" or emails_in(call):
            known_since.setdefault(shop.person(call), times(call))
    pages = [(shop.person(call), times(call)) for call in shop.good if call["type"] == "page"]
    before = {person for person, seen in pages if seen < known_since.get(person, START)}
    assert len(before) > 0.9 * len(known_since)


def test_members_guests_and_people_never_named_all_exist(shop: Shop) -> None:
    everyone = set(shop.person_of.values())
    members = {shop.person(call) for call in shop.good if call["type"] == "identify"}
    guests = {shop.person(call) for call in shop.good if emails_in(call)} - members
    assert share(len(members), len(everyone)) > 0.3
    assert share(len(guests), len(everyone)) > 0.08
    assert share(len(everyone - members - guests), len(everyone)) > 0.25
    assert all("userId" not in call or call["userId"] in JUNK for call in shop.good if shop.person(call) in guests)


def test_identify_calls_carry_the_traits_of_a_person(shop: Shop) -> None:
    calls = [call for call in shop.good if call["type"] == "identify"]
    required = {"email", "first_name", "last_name", "country", "createdAt"}
    assert all(required <= call["traits"].keys() <= required | {"phone"} for call in calls)
    assert len({call["traits"]["country"] for call in calls}) == 4
    assert 0.4 < share(sum("phone" in call["traits"] for call in calls), len(calls)) < 0.8
    assert all(at(call["traits"]["createdAt"]) < END for call in calls)
    hosts = {call["traits"]["email"].strip().lower().split("@")[1] for call in calls} - {"test.com"}
    assert all(host.endswith(("example.com", "example.org", "example.net")) for host in hosts)


def test_families_share_a_device_with_two_or_three_logins_and_a_kiosk_has_more_than_twenty(shop: Shop) -> None:
    logins = defaultdict(set)
    for call in shop.good:
        if call["type"] == "identify" and call["anonymousId"] not in JUNK:
            logins[call["anonymousId"]].add(call["userId"])
    sizes = Counter(len(users) for users in logins.values())
    assert sizes[2] >= 10
    assert sizes[3] >= 5
    assert sum(n for size, n in sizes.items() if size > 20) == 1
    assert not [size for size in sizes if 3 < size <= 20]


def test_junk_identifiers_appear_on_some_calls_and_never_in_the_truth(shop: Shop) -> None:
    seen: Counter[str] = Counter()
    for call in shop.good:
        traits = call.get("traits", {})
        seen.update({call.get("userId"), call.get("anonymousId"), traits.get("phone"), *emails_in(call)} & JUNK)
    assert seen.keys() == JUNK
    assert min(seen.values()) >= 3
    assert sum(seen.values()) < 0.03 * len(shop.lines)
    people = {shop.person(call) for call in shop.good if call.get("anonymousId") == ZEROS}
    assert len(people) > 5
    assert not {row["identifier_value"] for row in read_csv(shop.truth / "identifiers.csv")} & JUNK


def test_one_person_types_the_same_email_in_several_ways(shop: Shop) -> None:
    typed = values_by_person(shop, lambda call: next(iter(emails_in(call)), None))
    several = [emails for emails in typed.values() if len(emails) > 1]
    assert share(len(several), len(typed)) > 0.2
    assert all(len({email.strip().lower() for email in emails} - JUNK) == 1 for emails in typed.values())
    flat = set().union(*typed.values())
    assert sum(email != email.strip() for email in flat) > 30
    assert sum(email != email.lower() for email in flat) > 30


def test_one_person_types_the_same_valid_phone_in_several_ways(shop: Shop) -> None:
    typed = values_by_person(shop, lambda call: call.get("traits", {}).get("phone"))
    parsed = {}
    for person, phones in typed.items():
        numbers = [phonenumbers.parse(phone, "GB") for phone in phones]
        assert all(phonenumbers.is_valid_number(number) for number in numbers)
        parsed[person] = {phonenumbers.format_number(n, phonenumbers.PhoneNumberFormat.E164) for n in numbers}
    assert all(len(numbers) == 1 for numbers in parsed.values())
    assert len(set().union(*parsed.values())) == len(parsed)
    regions = {phonenumbers.region_code_for_number(phonenumbers.parse(*numbers)) for numbers in parsed.values()}
    assert regions == {"GB", "DE", "FR", "US"}
    assert sum(len(phones) > 1 for phones in typed.values()) > 50
    flat = set().union(*typed.values())
    forms = {phone[:4] if phone.startswith("0044") else phone[:1] for phone in flat}
    assert forms == {"+", "0", "0044"}


def test_two_people_share_an_email_rarely(shop: Shop) -> None:
    owners = people_by_value(shop, lambda call: next((e.strip().lower() for e in emails_in(call)), None))
    sharing = [people for people in owners.values() if len(people) > 1]
    assert 2 <= len(sharing) <= 20
    assert all(len(people) == 2 for people in sharing)


def test_two_in_a_hundred_calls_are_delivered_again_some_in_a_later_file_a_few_changed(shop: Shop) -> None:
    assert 0.015 < share(len(shop.repeats), len(shop.lines)) < 0.025
    assert all(again["receivedAt"] > first["receivedAt"] for _, _, first, again in shop.repeats)
    assert sum(before != after for before, after, _, _ in shop.repeats) >= 5
    delivery = {"sentAt", "receivedAt"}
    changed = [(a, b) for _, _, a, b in shop.repeats if any(a[k] != b[k] for k in a.keys() - delivery)]
    assert 0.03 < share(len(changed), len(shop.repeats)) < 0.2
    assert any(a["properties"] != b["properties"] for a, b in changed if "properties" in a)


def test_offline_devices_deliver_hours_to_twenty_days_late(shop: Shop) -> None:
    delays = [at(call["receivedAt"]) - times(call) for call in shop.good]
    late = [delay for delay in delays if delay > timedelta(hours=1)]
    assert 0.01 < share(len(late), len(delays)) < 0.03
    assert max(late) < timedelta(days=20, minutes=1)
    assert sum(delay > timedelta(days=7) for delay in late) >= 20
    assert all(delay < timedelta(seconds=1) for delay in delays if delay <= timedelta(hours=1))


def test_clocks_that_are_wrong_by_hours_come_without_timestamp_and_are_repaired_by_sent_at(shop: Shop) -> None:
    wrong = [call for call in shop.good if abs(at(call["sentAt"]) - at(call["receivedAt"])) > timedelta(minutes=1)]
    assert {id(call) for call in wrong} == {id(call) for call in shop.good if "timestamp" not in call}
    assert 0.01 < share(len(wrong), len(shop.good)) < 0.05
    assert len({call["anonymousId"] for call in wrong}) > 10
    assert {at(call["sentAt"]) > at(call["receivedAt"]) for call in wrong} == {True, False}
    assert all(START <= times(call) < END for call in wrong)


def test_consent_is_given_carried_on_later_calls_of_the_device_and_withdrawn_by_some(shop: Shop) -> None:
    given: dict[tuple[str, str], dict[str, bool]] = {}
    answers, withdrawn = Counter(), set()
    calls = [c for c in shop.good if c["channel"] == "browser" and c["anonymousId"] not in JUNK]
    for call in sorted(calls, key=times):
        device, now = (call["anonymousId"], shop.person(call)), preferences(call)
        if call.get("event") == "Segment Consent Preference Updated":
            if device in given and any(given[device].values()) and not any(now.values()):
                withdrawn.add(device)
            given[device] = now
            answers[tuple(sorted(now.items()))] += 1
        assert now is None or set(now) <= {"analytics", "advertising", "email_marketing"}
    assert len(answers) == 5
    assert (("analytics", True),) in answers
    assert len(withdrawn) > 15
    asked = {person for _, person in given}
    assert 0.5 < share(len(asked), shop.summary.people) < 0.95
    last: dict[str, dict[str, bool]] = {}
    agree = total = 0
    for call in sorted(calls, key=times):
        now = preferences(call)
        if call["anonymousId"] in last:
            total, agree = total + 1, agree + (now == last[call["anonymousId"]])
        if call.get("event") == "Segment Consent Preference Updated":
            last[call["anonymousId"]] = now
    assert agree > 0.99 * total > 10_000


def test_click_ids_utm_and_referrers_tell_the_channels_apart(shop: Shop) -> None:
    landings = [c for c in shop.good if c["type"] == "page" and "mosaic-and-co" not in c["context"]["page"]["referrer"]]
    clicked = Counter()
    for call in landings:
        page, campaign = call["context"]["page"], call["context"].get("campaign")
        for click_id, source in CLICK_IDS.items():
            if f"{click_id}=" in page["search"]:
                clicked[click_id, campaign is not None] += 1
                assert campaign is None or campaign["source"] == source
        if campaign:
            assert f"utm_campaign={campaign['name']}" in page["url"]
            assert campaign.keys() == {"name", "source", "medium"}
    assert all(clicked[click_id, True] > 50 and clicked[click_id, False] > 5 for click_id in CLICK_IDS)
    organic = Counter(c["context"]["page"]["referrer"] for c in landings if not c["context"]["page"]["search"])
    assert all(organic[referrer] > 50 for referrer in ("", "https://www.google.com/", "https://www.instagram.com/"))
    names = {c["context"]["campaign"]["name"] for c in landings if "campaign" in c["context"]}
    assert any(name != name.lower() for name in names)


def test_scrolls_and_videos_are_rare_and_carry_a_depth(shop: Shop) -> None:
    for event in ("Page Scrolled", "Video Watched"):
        calls = shop.tracks(event)
        assert 0.002 < share(len(calls), len(shop.good)) < 0.02
        assert all(0 < call["properties"]["depth"] <= 100 for call in calls)


# Truth and ad spend ------------------------------------------------------------------------------------------------


def test_every_readable_message_has_its_person_and_no_other_message_has_one(shop: Shop) -> None:
    assert shop.person_of.keys() == {call["messageId"] for _, call in shop.lines if call}
    rows = read_csv(shop.truth / "events.csv")
    assert len(rows) == len(shop.person_of)


def test_the_truth_about_identifiers_is_exactly_what_readable_lines_show(shop: Shop) -> None:
    e164 = phonenumbers.PhoneNumberFormat.E164
    shown = set()
    for call in (call for _, call in shop.lines if call):
        found = [("user_id", call.get("userId")), ("anonymous_id", call.get("anonymousId"))]
        found += [("email", email.strip().lower()) for email in emails_in(call)]
        if phone := {call.get("traits", {}).get("phone")} - JUNK - {None}:
            found.append(("phone", phonenumbers.format_number(phonenumbers.parse(phone.pop(), "GB"), e164)))
        shown |= {(kind, value, shop.person(call)) for kind, value in found if value and value not in JUNK}
    rows = [tuple(row.values()) for row in read_csv(shop.truth / "identifiers.csv")]
    assert len(rows) == len(set(rows))
    assert set(rows) == shown


def test_the_truth_lies_outside_the_landing_folder(shop: Shop) -> None:
    assert {path.name for path in shop.folder.iterdir()} == {"shop_web", "shop_backend", "tables"}
    assert "person-" not in "".join(json.dumps(call) for _, call in shop.lines[:2_000])


def test_ad_spend_has_one_row_a_campaign_day_and_some_days_restated_later(shop: Shop) -> None:
    rows = read_csv(shop.folder / "tables" / "ad_spend.csv")
    header = "platform,account_id,account_name,campaign_id,campaign_name,currency"
    assert ",".join(rows[0]) == f"{header},clicks,impressions,spend,date_day,synced_at"
    assert {row["platform"] for row in rows} == {"google_ads", "facebook_ads", "microsoft_ads"}
    versions = defaultdict(list)
    for row in rows:
        versions[row["platform"], row["campaign_id"], row["date_day"]].append((row["synced_at"], row["spend"]))
        assert row["date_day"] + "T" < row["synced_at"] < AS_OF
        assert row["spend"] == f"{float(row['spend']):.2f}"
        assert 0 <= int(row["clicks"]) <= int(row["impressions"])
    restated = [both for both in versions.values() if len(both) == 2]
    assert max(map(len, versions.values())) == 2
    assert 0.02 < share(len(restated), len(versions)) < 0.08
    assert all(first[0] < second[0] for first, second in restated)
    assert any(first[1] != second[1] for first, second in restated)


def test_campaigns_in_the_ad_spend_are_those_of_the_paid_visits(shop: Shop) -> None:
    platform = {"google": "google_ads", "bing": "microsoft_ads", "facebook": "facebook_ads"}
    rows = read_csv(shop.folder / "tables" / "ad_spend.csv")
    days = {(row["platform"], row["campaign_name"], row["date_day"]): int(row["clicks"]) for row in rows}
    visits: Counter[tuple[str, str, str]] = Counter()
    for call in shop.good:
        campaign = call["context"].get("campaign")
        if campaign and call["type"] == "page" and campaign["source"] in platform:
            visits[platform[campaign["source"]], campaign["name"].lower(), times(call).date().isoformat()] += 1
    assert all(days[key] >= n for key, n in visits.items())
    never_clicked = {name for _, name, _ in days} - {name for _, name, _ in visits}
    assert never_clicked == {"display_awareness"}
    assert sum(float(row["spend"]) for row in rows if row["campaign_name"] == "display_awareness") > 500


def test_other_tools_know_the_shops_own_people(shop: Shop) -> None:
    """Engagement, answers, tickets and enrichment name addresses, numbers and user ids that the shop's calls know."""
    known = {row["identifier_value"] for row in read_csv(shop.truth / "identifiers.csv")} | JUNK
    for table, column in {
        "message_engagements": "recipient", "survey_answers": "user_id", "support_tickets": "email", "enrichments": "email",
    }.items():  # fmt: skip
        rows = read_csv(shop.folder / "tables" / f"{table}.csv")
        named = [row[column].strip().lower() for row in rows if row[column]]
        found = [name in known or name.replace(" ", "") in known for name in named]
        assert len(rows) > 20, table
        # A call that was spoilt or came after the last day leaves a person without an address.
        assert sum(found) > 0.98 * len(found), table
        times = [value for row in rows for name, value in row.items() if name.endswith("_at") and value]
        assert all(START <= at(value) < END for value in times), table
