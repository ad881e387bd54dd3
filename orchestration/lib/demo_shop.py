"""The demo shop "Mosaic & Co.": 400 days of an online shop as Segment calls, for demos, benchmarks and tests.

Belongs: `generate` and the small world behind it: households with people, devices, tastes, consent and ad clicks.
May not: the clock, the environment, state shared between households, a draw that `Dice` does not make.

The same seed and size give the same lines on every machine (the gzip bytes around them are those of the zlib in use).
A household is a pure function of (seed, its index, the number of its first person): memory does not grow with the shop,
and a larger shop begins with the people of a smaller one. What a reader has to know:

- `shop_web` holds browser calls, `shop_backend` the server's: orders, refunds, cancellations, with the userId or, for a
  guest, the anonymousId and `context.traits.email`. A file covers a range of days, in order of receivedAt.
- `timestamp` = receivedAt - (sentAt - originalTimestamp), to the millisecond; devices with a wrong clock send none.
- revenue = subtotal = goods after discount; total = revenue + tax + shipping. The total of a refund counts goods only,
  as revenue does, so revenue - refunds is never negative for a known order.
- `tables` holds ad spend and what other tools say of those who gave an address: e-mails and SMS with what became of them, answers to a
  survey, support tickets, a vendor's enrichment. A person's rows are drawn apart from his visits.
- Truth: every message on a readable line with its person; every identifier on a readable line, once for each person who
  used it, e-mails trimmed and in lower case, phones in E.164. Junk values belong to nobody and have no row.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import random
import shutil
import unicodedata
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from itertools import accumulate, count
from pathlib import Path
from typing import Any, NamedTuple

from orchestration.lib.errors import UsageError

DAYS = 400
LAST_DAY = date(2026, 10, 31)
AS_OF = "2026-11-01T00:00:00Z"  # the end of the last day; nothing is received later
SMALLEST = 1_000
TOLERANCE = 0.01  # of the events asked for
SPOOLED_LINES = 50_000  # held in memory at most

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000  # times are milliseconds since the shop's first midnight, UTC
END = DAYS * DAY
MARGIN = 40  # days that a wrong clock may show before the first and after the last one
DATES = [(LAST_DAY + timedelta(days=n + 1 - DAYS - MARGIN)).isoformat() for n in range(DAYS + 2 * MARGIN)]

# How often a hard case happens: per call, visit, order, device or person, as the name says.
BAD_CALL, BAD_ORDER = 0.0225, 0.015
DUPLICATE, ALTERED_DUPLICATE = 0.02, 0.1
OFFLINE_VISIT, WRONG_CLOCK, NO_COOKIES = 0.09, 0.03, 0.008
FAMILY, FAMILY_DEVICE, FAMILY_EMAIL = 0.035, 0.35, 0.15
KIOSK_VISIT, PEOPLE_PER_KIOSK = 0.012, 2_000
JUNK_USER, JUNK_EMAIL, JUNK_PHONE = 0.015, 0.01, 0.03
COMPANY, SECOND_COMPANY, PEOPLE_PER_COMPANY = 0.08, 0.1, 60
REFUNDED, REFUNDED_WHOLE, REFUND_OF_UNKNOWN, CANCELLED = 0.07, 0.5, 0.05, 0.012
NEVER_ASKED, WITHDRAWS, ANSWERS_ANEW = 0.15, 0.08, 0.1
RESTATED_SPEND, MIXED_CASE_UTM, LOST_UTM = 0.05, 0.08, 0.08

NO_COOKIE, NO_PHONE = "00000000-0000-0000-0000-000000000000", "000000000"
JUNK_USERS = ("null", "undefined", "anonymous", "-1")
JUNK_EMAILS = ("test@test.com", "noreply@example.com")
JUNK = frozenset({NO_COOKIE, NO_PHONE, *JUNK_USERS, *JUNK_EMAILS})

COMPANY_NAMES = ("Atelier", "Studio", "Hotel", "Schoolhouse", "Tilers")
INDUSTRIES = ("construction", "education", "hospitality", "design")
PLANS = ("trade", "trade plus")

FAULTS = {
    "page": ("truncated", "no_ids", "impossible_time", "unknown_type"),
    "track": ("truncated", "no_ids", "impossible_time", "unknown_type", "no_event", "unplanned_event"),
    "Order Completed": ("text_revenue", "text_revenue", "negative_revenue"),
}
IMPOSSIBLE_TIMES = ("1970-01-01T00:00:00.000Z", "2099-12-31T23:59:59.000Z", "infinity")
UNKNOWN_TYPES = ("trakc", "pageview", "event")
UNPLANNED_EVENTS = ("Prodct Viewed", "debug ping", "Experiment Viewed")
NEVER_BAD = frozenset({"Segment Consent Preference Updated", "Signed Up", "Order Refunded", "Order Cancelled"})
COUNTED = {"Order Completed": "orders", "Order Refunded": "refunds"}


class Country(NamedTuple):
    """Phones are numbers reserved for fiction that `phonenumbers` calls valid: a range, then `digits` free digits."""

    locale: str
    code: str
    digits: int
    ranges: tuple[str, ...]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


COUNTRIES = {
    "GB": Country(
        "en-GB", "44", 3,
        ("20 7946 0", "29 2018 0", "28 9649 6", "191 498 0", "113 496 0", "114 496 0", "116 496 0", "117 496 0",
         "118 496 0", "121 496 0", "131 496 0", "141 496 0", "151 496 0", "161 496 0"),
        ("Amelia", "Oliver", "Isla", "George", "Freya", "Arthur", "Niamh", "Callum", "Zara", "Imran", "Poppy"),
        ("Smith", "O'Neill", "Taylor", "Patel", "Evans", "Wright", "Khan", "Hughes", "Green", "Baker", "Shaw"),
    ),
    "DE": Country(
        "de-DE", "49", 3, ("30 23125 ", "69 90009 ", "40 66969 ", "221 4710 ", "89 99998 "),
        ("Anna", "Jürgen", "Lena", "Björn", "Sophie", "Max", "Käthe", "Felix", "Aylin", "Jonas", "Götz"),
        ("Müller", "Schmidt", "Weiß", "Fischer", "Yılmaz", "Wagner", "Schäfer", "Koch", "Krüger", "Wolf", "Böhm"),
    ),
    "FR": Country(
        "fr-FR", "33", 4, ("1 99 00 ", "2 61 91 ", "3 53 01 ", "4 65 71 ", "5 36 49 "),
        ("Chloé", "Lucas", "Inès", "François", "Léa", "Noël", "Manon", "Hugo", "Zoé", "Théo", "Anaïs"),
        ("Martin", "Lefèvre", "Dubois", "Moreau", "Garnier", "Petit", "Benoît", "Roux", "Faure", "Diallo", "Noir"),
    ),
    "US": Country(
        "en-US", "1", 2,
        tuple(f"{area} 555 01" for area in (201, 202, 206, 212, 213, 214, 215, 216, 303, 305, 310, 312, 313, 314, 404,
              405, 412, 415, 480, 503, 504, 505, 510, 512, 602, 612, 617, 619, 650, 702, 713, 718, 720, 773, 801, 901)),
        ("Emma", "Liam", "Ava", "Noah", "Mateo", "Grace", "Jayden", "Camila", "Ethan", "Ruth", "Omar"),
        ("Johnson", "Garcia", "Miller", "Davis", "Nguyen", "Lopez", "Wilson", "Lee", "Walker", "Hall", "Cook"),
    ),
}  # fmt: skip
COUNTRY_WHEEL = ("GB", "DE", "GB", "FR", "US", "GB", "DE", "FR", "GB", "US")  # turned by a person's number
EMAIL_HOSTS = ("example.com", "example.org", "example.net", "mail.example.com", "post.example.org")

SHELVES = {
    "Tiles": {"Glass Tesserae": 8.9, "Smalti Gold": 49.0, "Ceramic Hexagons": 14.5, "Marble Cubes": 26.5},
    "Kits": {"Trivet Kit": 19.9, "Garden Stone Kit": 34.5, "Table Top Kit": 89.0, "Coaster Kit": 12.9},
    "Tools": {"Wheel Nippers": 24.9, "Tile Adhesive": 11.5, "Grout": 8.4, "Tweezers": 6.9, "Glass Cutter": 32.9},
    "Lamps": {"Mosaic Lantern": 59.0, "Turkish Lamp": 74.0, "Tea Light Holder": 13.9, "Pendant Light": 129.0},
    "Books": {"Roman Patterns": 28.0, "Mosaic for Beginners": 19.0, "Andamento": 36.0, "Pebble Paths": 22.0},
}
BRANDS = ("Mosaic & Co.", "Opus", "Ravenna")
CATALOGUE = {
    shelf: [
        {"product_id": f"P{s}{n:02d}", "sku": f"{shelf}-{n:02d}".upper(), "name": name, "category": shelf}
        | {"brand": BRANDS[n % len(BRANDS)], "price": price}
        for n, (name, price) in enumerate(goods.items())
    ]
    for s, (shelf, goods) in enumerate(SHELVES.items(), start=1)
}
SHELF_NAMES = tuple(SHELVES)


class Campaign(NamedTuple):
    """Days count from the shop's first. `appeal` multiplies the chance that a visit buys; 0: shown, never clicked."""

    platform: str
    id: str
    name: str
    first_day: int = 0
    last_day: int = DAYS - 1
    click_cents: int = 0
    appeal: float = 1.0


CAMPAIGNS = (
    Campaign("google_ads", "20114501", "brand_search", 0, 399, 180, 1.2),
    Campaign("google_ads", "20114502", "generic_tiles", 0, 399, 690, 0.8),
    Campaign("google_ads", "20114503", "winter_sale_2025", 55, 110, 540, 1.3),
    Campaign("google_ads", "20114504", "summer_kits_2026", 230, 330, 620, 0.9),
    Campaign("google_ads", "20114505", "display_awareness", 100, 299, 0, 0.0),
    Campaign("facebook_ads", "6215001", "prospecting_lookalike", 0, 399, 480, 0.7),
    Campaign("facebook_ads", "6215002", "retargeting_cart", 30, 399, 260, 1.5),
    Campaign("facebook_ads", "6215003", "spring_makeover_2026", 150, 230, 750, 0.5),
    Campaign("microsoft_ads", "35970001", "bing_brand", 0, 399, 140, 1.2),
    Campaign("microsoft_ads", "35970002", "bing_mosaic_kits", 60, 399, 430, 0.8),
)
NEWSLETTERS = tuple(Campaign("newsletter", "", name) for name in ("weekly_mosaic", "new_arrivals", "win_back"))
ACCOUNTS = {
    "google_ads": ("2121450128", "Mosaic & Co. Search"),
    "facebook_ads": ("1700252260", "Mosaic & Co. Social"),
    "microsoft_ads": ("150175881", "Mosaic & Co. Bing"),
}
TABLES = {
    "message_engagements": ("message_id", "channel", "event", "recipient", "campaign", "url", "occurred_at"),
    "survey_answers": ("response_id", "survey", "question", "user_id", "email", "answer", "score", "answered_at"),
    "support_tickets": (
        "ticket_id", "user_id", "email", "channel", "status", "priority", "subject", "opened_at", "solved_at", "updated_at",
    ),
    "enrichments": ("email", "domain", "company", "industry", "job_title", "country", "employee_count", "observed_at"),
}  # fmt: skip
MAILED_EVERY, SMS, ANSWERS_SURVEY, ASKS_SUPPORT, ENRICHED = 35, 0.2, 0.3, 0.15, 0.1  # days; chances a person
REMARKS = {"promoter": "Lovely tiles, quick delivery", "passive": "Fine", "detractor": "Two of the tiles were broken"}
SUBJECTS = ("Where is my order?", "Broken tiles", "Which adhesive for outdoors?", "Please change my address")
AD_SPEND_KEY = ("platform", "account_id", "account_name", "campaign_id", "campaign_name", "currency")
AD_SPEND = (*AD_SPEND_KEY, "clicks", "impressions", "spend", "date_day", "synced_at")


class Channel(NamedTuple):
    """`shares`: how often a newcomer, a customer, a subscriber comes this way. `conversion`: of a visit with a need."""

    shares: tuple[float, float, float]
    conversion: float
    referrer: str = ""
    source: str = ""
    medium: str = ""
    click_id: str = ""
    platform: str = ""


CHANNELS = (
    Channel((0.14, 0.34, 0.28), 0.62),  # direct
    Channel((0.24, 0.18, 0.14), 0.46, "https://www.google.com/"),
    Channel((0.20, 0.14, 0.10), 0.56, "https://www.google.com/", "google", "cpc", "gclid", "google_ads"),
    Channel((0.05, 0.04, 0.03), 0.52, "https://www.bing.com/", "bing", "cpc", "msclkid", "microsoft_ads"),
    Channel((0.17, 0.12, 0.09), 0.30, "https://www.facebook.com/", "facebook", "paid_social", "fbclid", "facebook_ads"),
    Channel((0.07, 0.07, 0.05), 0.18, "https://www.instagram.com/"),
    Channel((0.05, 0.03, 0.03), 0.20, "https://www.facebook.com/", click_id="fbclid"),  # a click that nobody paid for
    Channel((0.08, 0.08, 0.05), 0.40, "https://craftnotes.example/mosaics"),
    Channel((0.00, 0.00, 0.23), 0.72, source="newsletter", medium="email", platform="newsletter"),
)
NEWCOMER, CUSTOMER, SUBSCRIBER = range(3)

MOBILE_AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Version/19.1 Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Mobile Safari/537.36",
)
AGENTS = (
    *MOBILE_AGENTS,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Safari",
)
BROWSER_LIBRARY = {"name": "analytics.js", "version": "2.11.1"}
SERVER_LIBRARY = {"name": "analytics-node", "version": "2.2.0"}
SHOP_URL = "https://mosaic-and-co.example"

Odds = tuple[Sequence[Any], list[float]]
Json = dict[str, Any]
Clicks = Counter[tuple[str, int]]  # by campaign id and day


def _odds(*pairs: tuple[Any, float]) -> Odds:
    """Return values and their cumulative weights, for `Dice.among`."""
    return [value for value, _ in pairs], list(accumulate(weight for _, weight in pairs))


CHANNELS_OF = [_odds(*((c, c.shares[stage]) for c in CHANNELS)) for stage in (NEWCOMER, CUSTOMER, SUBSCRIBER)]
HOURS = _odds(*zip(range(6, 24), (2, 3, 4, 5, 5, 6, 7, 6, 5, 5, 5, 6, 7, 9, 10, 9, 6, 3), strict=True))
KINDS = _odds(("member", 0.42), ("guest", 0.16), ("visitor", 0.42))
DEVICES = _odds((1, 0.46), (2, 0.34), (3, 0.14), (4, 0.06))
CART_SIZES = _odds((1, 0.6), (2, 0.25), (3, 0.1), (5, 0.05))
NO_CONSENT = {"analytics": False, "advertising": False, "email_marketing": False}
ANSWERS = _odds(
    ({"analytics": True, "advertising": True, "email_marketing": True}, 0.56),
    ({"analytics": True, "advertising": False, "email_marketing": False}, 0.13),
    ({"analytics": True, "advertising": False, "email_marketing": True}, 0.10),
    ({"analytics": True}, 0.08),  # left the banner half-way: the other purposes were not answered
    (NO_CONSENT, 0.13),
)

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Dice:
    """Draws from one seeded stream. It uses only `random()`, the one method that Python promises never to change."""

    def __init__(self, seed: str) -> None:
        self.random: Callable[[], float] = random.Random(seed).random  # noqa: S311 (nothing here is a secret)

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def below(self, limit: int) -> int:
        return int(self.random() * limit)

    def pick(self, values: Sequence[Any]) -> Any:
        return values[int(self.random() * len(values))]

    def among(self, odds: Odds) -> Any:
        values, sums = odds
        return values[bisect(sums, self.random() * sums[-1])]

    def exponential(self, mean: float) -> float:
        return -mean * math.log(1.0 - self.random())

    def gamma(self, shape: int, mean: float) -> float:
        return sum(self.exponential(mean / shape) for _ in range(shape))

    def hex(self, digits: int) -> str:
        return "".join(f"{int(self.random() * 16**8):08x}" for _ in range(0, digits, 8))[:digits]

    def uuid(self) -> str:
        h = self.hex(32)
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


def _iso(at: int) -> str:
    day, rest = divmod(at, DAY)
    seconds, millis = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    return f"{DATES[day + MARGIN]}T{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}.{millis:03d}Z"


@dataclass
class Device:
    """A browser with its cookie. `skew`: how far its clock is ahead; `user_id`: the login that it remembers."""

    anonymous_id: str
    agent: str
    skew: int = 0
    is_private: bool = True
    was_asked: bool = False
    consent: dict[str, bool] | None = None
    user_id: str | None = None


class Person:
    """A member signs up, a guest leaves an e-mail at checkout, a visitor is never named and never buys."""

    def __init__(self, dice: Dice, number: int, kind: str) -> None:
        self.id, self.number, self.kind = f"person-{number:07d}", number, kind
        self.country = COUNTRY_WHEEL[number % 10]
        self.origin = COUNTRIES[self.country]
        self.first_name, self.last_name = dice.pick(self.origin.first_names), dice.pick(self.origin.last_names)
        self.email = f"{_ascii(f'{self.first_name}.{self.last_name}')}{number}@{dice.pick(EMAIL_HOSTS)}"
        self.phone = _phone(number) if dice.chance(0.6) else None  # national, without the leading 0
        self.e164 = self.phone and f"+{self.origin.code}{self.phone.replace(' ', '')}"
        self.user_id = f"cust_{dice.hex(12)}"
        self.created_at: str | None = None
        self.devices = [_device(dice) for _ in range(dice.among(DEVICES))]
        self.answer: dict[str, bool] = dice.among(ANSWERS)
        self.withdraws_at = dice.below(END) if dice.chance(WITHDRAWS) else END
        self.favourite: str = dice.pick(SHELF_NAMES)
        self.arrival = int(dice.exponential(30)) if dice.chance(0.4) else dice.below(DAYS)  # 40 % knew the shop before
        is_visitor = kind == "visitor"
        self.keenness = 0.0 if is_visitor else 0.5 + dice.gamma(3, 1.2)  # multiplies the chance that a visit buys
        self.gap = 40.0 if is_visitor else 1 / dice.gamma(2, 1 / 36)  # mean days between needs
        self.dropout = 0.95 if is_visitor else 0.03 + 0.4 * dice.random() ** 2  # chance to lose interest after a need
        self.appetite = dice.gamma(2, 0.7)  # mean pieces of a product beyond the first
        self.accounts = _accounts(number) if kind == "member" else {}


@dataclass
class Household:
    """What the people of one household leave behind. A line is (source, day received, b"receivedAt<tab>call")."""

    dice: Dice
    lines: list[tuple[str, int, bytes]] = field(default_factory=list)
    messages: list[tuple[str, str]] = field(default_factory=list)
    identifiers: set[tuple[str, str, str]] = field(default_factory=set)
    clicks: Clicks = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    tables: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def deliver(self, person: Person, source: str, call: Json, at: int, delay: int = 0, skew: int = 0) -> None:
        """Stamp a call and write it down, at times damaged or twice, unless it arrives after the shop's last day."""
        dice = self.dice
        sent = at + delay + 20 + dice.below(200)
        received = sent + 40 + dice.below(500)
        if received >= END:
            return
        call |= {"originalTimestamp": _iso(at + skew), "sentAt": _iso(sent + skew), "receivedAt": _iso(received)}
        if not skew:
            call["timestamp"] = _iso(received - sent + at)
        fault = _spoil(dice, call)
        line = _encode(call).encode()
        if fault == "truncated":
            line = line[: 30 + dice.below(len(line) - 60)]
        else:
            self._know(person, call)
        self._write(source, received, line)
        if fault:
            self.counts["bad_lines"] += 1
            return
        self.counts["late"] += delay > HOUR
        self.counts[COUNTED.get(call.get("event", ""), "others")] += 1
        if dice.chance(DUPLICATE):
            self._repeat(source, call, sent + skew, received)

    def _know(self, person: Person, call: Json) -> None:
        traits = call.get("traits") or call["context"].get("traits") or {}
        found = (
            ("user_id", call.get("userId")),
            ("anonymous_id", call.get("anonymousId")),
            ("email", traits.get("email", "").strip().lower()),
            ("phone", person.e164 if traits.get("phone", NO_PHONE) != NO_PHONE else None),
        )
        self.identifiers.update((kind, value, person.id) for kind, value in found if value and value not in JUNK)
        self.messages.append((call["messageId"], person.id))

    def _repeat(self, source: str, call: Json, sent: int, received: int) -> None:
        """Deliver a call again, mostly minutes, at times days later; a few come back changed."""
        dice = self.dice
        delay = 1 + int(dice.exponential(8 * MINUTE if dice.chance(0.7) else 4 * DAY))
        if received + delay >= END:
            return
        again = call | {"sentAt": _iso(sent + delay), "receivedAt": _iso(received + delay)}
        if dice.chance(ALTERED_DUPLICATE):
            again["context"] = call["context"] | {"locale": "und"}
            if call.get("event") == "Order Completed":
                again["properties"] = call["properties"] | {"revenue": round(call["properties"]["revenue"] + 1, 2)}
        self.counts["duplicates"] += 1
        self._write(source, received + delay, _encode(again).encode())

    def _write(self, source: str, received: int, line: bytes) -> None:
        self.lines.append((source, received // DAY, b"%b\t%b\n" % (_iso(received).encode(), line)))


def _spoil(dice: Dice, call: Json) -> str | None:
    """Damage a few calls in one of the ways that happen, and say in which."""
    kind = "Order Completed" if call.get("event") == "Order Completed" else call["type"]
    if kind in ("identify", "group") or call.get("event") in NEVER_BAD:
        return None
    if not dice.chance(BAD_ORDER if kind == "Order Completed" else BAD_CALL):
        return None
    fault = dice.pick(FAULTS[kind])
    if fault == "no_ids":
        call.pop("anonymousId")
        call.pop("userId", None)
    elif fault == "no_event":
        del call["event"]
    elif fault == "impossible_time":
        call["timestamp"] = dice.pick(IMPOSSIBLE_TIMES)
    elif fault == "unknown_type":
        call["type"] = dice.pick(UNKNOWN_TYPES)
    elif fault == "unplanned_event":
        call["event"] = dice.pick(UNPLANNED_EVENTS)
    elif fault == "text_revenue":
        call["properties"]["revenue"] = f"{call['properties']['revenue']:.2f} EUR".replace(".", ",")
    elif fault == "negative_revenue":
        call["properties"]["revenue"] *= -1
    return fault


def _phone(number: int) -> str | None:
    """Return the person's own number, or none where those reserved for fiction are used up (large shops)."""
    name = COUNTRY_WHEEL[number % 10]
    nth = number // 10 * COUNTRY_WHEEL.count(name) + COUNTRY_WHEEL[: number % 10].count(name)
    country = COUNTRIES[name]
    within, block = divmod(nth, len(country.ranges))
    return f"{country.ranges[block]}{within:0{country.digits}d}" if within < 10**country.digits else None


def _accounts(number: int) -> dict[str, Json]:
    """Return the companies that a person buys for: few do, mostly for one, with others whose numbers are near."""
    dice = Dice(f"accounts/{number}")
    if not dice.chance(COMPANY):
        return {}
    first = number // PEOPLE_PER_COMPANY
    accounts = {}
    for company in (first, first + 1)[: 1 + dice.chance(SECOND_COMPANY)]:
        drawn = Dice(f"company/{company}")
        name = f"{drawn.pick(COMPANY_NAMES)} {company}"
        accounts[f"acct_{drawn.hex(10)}"] = {"name": name, "industry": drawn.pick(INDUSTRIES), "plan": drawn.pick(PLANS)}
    return accounts


def _device(dice: Dice) -> Device:
    anonymous_id = NO_COOKIE if dice.chance(NO_COOKIES) else dice.uuid()
    skew = dice.pick((-1, 1)) * (HOUR + dice.below(20 * HOUR)) if dice.chance(WRONG_CLOCK) else 0
    return Device(anonymous_id, dice.pick(AGENTS), skew)


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower().replace("ß", "ss").replace("ı", "i"))
    return "".join(c for c in plain if c in "abcdefghijklmnopqrstuvwxyz.")


def _visits(dice: Dice, person: Person) -> Iterator[Visit]:
    """Yield a person's visits, at most one a day: a need brings visits until it is met or given up, idle visits follow.

    Who has lost interest hardly browses, so recent browsing tells more than orders alone about who will buy again.
    """
    day, stage = person.arrival, NEWCOMER
    while day < DAYS:
        visit = Visit(dice, person, day, stage, person.keenness)
        yield visit
        if visit.buys:
            stage = SUBSCRIBER if person.answer.get("email_marketing") else CUSTOMER
        elif dice.chance(0.5):  # the need is still there
            day += 1 + int(dice.exponential(2.5))
            continue
        is_lost = dice.chance(person.dropout)
        need = day + 2 + int(dice.exponential(person.gap))
        idle = int(dice.exponential(0.4 if is_lost else 1.1))
        for idle_day in sorted({day + 1 + dice.below(need - day - 1) for _ in range(idle)}):
            if idle_day < DAYS:
                yield Visit(dice, person, idle_day, stage, 0.0)
        if is_lost:
            return
        day = need


class Visit:
    """One visit in a browser: planned (when, by which channel, whether it buys), then, in its turn, `happen`ing."""

    def __init__(self, dice: Dice, person: Person, day: int, stage: int, keenness: float) -> None:
        self.dice, self.person = dice, person
        self.clock = day * DAY + dice.among(HOURS) * HOUR + dice.below(50 * MINUTE)
        self.channel = channel = dice.among(CHANNELS_OF[stage])
        campaigns = [c for c in (*CAMPAIGNS, *NEWSLETTERS) if c.platform == channel.platform and c.appeal]
        campaigns = [c for c in campaigns if c.first_day <= day <= c.last_day]
        self.campaign = dice.pick(campaigns) if campaigns else None
        appeal = self.campaign.appeal if self.campaign else 1.0
        self.buys = dice.chance(min(0.9, keenness * channel.conversion * appeal))

    def happen(self, house: Household, device: Device) -> None:
        dice, person, buys = self.dice, self.person, self.buys
        self.house, self.device = house, device
        self.user_id = device.user_id or (dice.pick(JUNK_USERS) if dice.chance(JUNK_USER) else None)
        is_offline = device.agent in MOBILE_AGENTS and not buys and dice.chance(OFFLINE_VISIT)
        self.delay = HOUR + int(min(dice.exponential(3 * DAY), 20 * DAY - HOUR)) if is_offline else 0
        self.land()
        self.mind_consent()
        if person.kind == "member" and dice.chance(self.login_chance()):
            self.log_in()
        for _ in range(dice.below(3)):
            self.look()
        if buys:
            self.buy()
        elif dice.chance(0.12):
            self.fill_cart()

    def login_chance(self) -> float:
        """Buying takes a login; a shared device asks who is there; who is logged in may still edit the profile."""
        if self.user_id == self.person.user_id:
            return 0.12
        return 1.0 if self.buys else 0.35 if self.device.is_private else 0.8

    def call(self, kind: str, body: Json) -> None:
        head = {"type": kind, "channel": "browser", "messageId": f"ajs-next-{self.dice.hex(24)}"}
        ids = {"anonymousId": self.device.anonymous_id} | ({"userId": self.user_id} if self.user_id else {})
        call = head | ids | body | {"context": self.context}
        self.house.deliver(self.person, "shop_web", call, self.clock, self.delay, self.device.skew)
        self.clock += 2_000 + self.dice.below(45_000)

    def track(self, event: str, properties: Json) -> None:
        self.call("track", {"event": event, "properties": properties})

    def open(self, name: str, path: str, search: str = "", campaign: dict[str, str] | None = None) -> None:
        url = f"{SHOP_URL}{path}{search}"
        page = {"path": path, "referrer": self.url, "search": search, "title": f"{name} | Mosaic & Co.", "url": url}
        consent = self.device.consent
        self.url = url
        self.context = (
            {"page": page, "userAgent": self.device.agent, "library": BROWSER_LIBRARY}
            | {"locale": self.person.origin.locale}
            | ({"campaign": campaign} if campaign else {})
            | ({"consent": {"categoryPreferences": consent}} if consent is not None else {})
        )
        self.call("page", {"name": name, "properties": page})

    def land(self) -> None:
        """Open the first page, with the traces of the channel: referrer, UTM parameters, click id."""
        dice, channel, campaign = self.dice, self.channel, self.campaign
        self.url, utm, query = channel.referrer, None, []
        if campaign:
            self.house.clicks[campaign.id, self.clock // DAY] += 1
            if not (channel.click_id and dice.chance(LOST_UTM)):
                name = campaign.name.title() if dice.chance(MIXED_CASE_UTM) else campaign.name
                utm = {"name": name, "source": channel.source, "medium": channel.medium}
                query = [f"utm_source={channel.source}", f"utm_medium={channel.medium}", f"utm_campaign={name}"]
        if channel.click_id:
            query.append(f"{channel.click_id}={dice.hex(32)}")
        shelf = self.person.favourite
        name, path = ("Home", "/") if dice.chance(0.5) else (shelf, f"/c/{shelf.lower()}")
        self.open(name, path, "?" + "&".join(query) if query else "", utm)

    def mind_consent(self) -> None:
        """Answer the banner on a new device (or leave it); take consent back when the day for it has come."""
        dice, device = self.dice, self.device
        answer = None
        if not device.was_asked:
            device.was_asked = True
            if not dice.chance(NEVER_ASKED):
                answer = dice.among(ANSWERS) if dice.chance(ANSWERS_ANEW) else self.person.answer
        elif device.consent and device.consent != NO_CONSENT and self.clock > self.person.withdraws_at:
            answer = NO_CONSENT
        if answer is not None:
            device.consent = answer
            self.context = self.context | {"consent": {"categoryPreferences": answer}}
            self.track("Segment Consent Preference Updated", {})

    def log_in(self) -> None:
        """Identify a member; the first time is the sign-up. Private devices mostly remember the login."""
        dice, person = self.dice, self.person
        is_new = person.created_at is None
        person.created_at = person.created_at or _iso(self.clock)
        self.user_id = person.user_id
        if self.device.is_private and dice.chance(0.85):
            self.device.user_id = person.user_id
        traits = {"email": _typed_email(dice, person), "first_name": person.first_name, "last_name": person.last_name}
        if person.phone:
            traits["phone"] = _typed_phone(dice, person)
        self.call("identify", {"traits": traits | {"country": person.country, "createdAt": person.created_at}})
        if is_new:
            self.track("Signed Up", {"method": "email"})
            for account_id, traits in person.accounts.items():
                self.call("group", {"groupId": account_id, "traits": traits})

    def product(self) -> Json:
        shelf = self.person.favourite if self.dice.chance(0.6) else self.dice.pick(SHELF_NAMES)
        return self.dice.pick(CATALOGUE[shelf])

    def look(self) -> None:
        """Search or stroll, then look at a product; seldom read on or watch a video."""
        dice, product = self.dice, self.product()
        shelf, word, roll = product["category"], product["name"].split()[0].lower(), dice.random()
        if roll < 0.2:
            self.open("Search", "/search", f"?q={word}")
            self.track("Products Searched", {"query": word})
        elif roll < 0.4:
            self.open(shelf, f"/c/{shelf.lower()}")
            listed = {"list_id": shelf.lower(), "category": shelf, "products": CATALOGUE[shelf][:2]}
            self.track("Product List Viewed", listed)
        if dice.chance(0.25):
            self.open(product["name"], f"/p/{product['sku'].lower()}")
        self.track("Product Viewed", product | {"currency": "EUR"})
        if dice.chance(0.06):
            self.track("Page Scrolled", {"depth": 25 * (1 + dice.below(4))})
        elif dice.chance(0.04):
            self.track("Video Watched", {"video_id": f"how-to-{shelf.lower()}", "depth": 10 * (1 + dice.below(10))})

    def fill_cart(self) -> list[Json]:
        dice, goods = self.dice, {}
        for product in (self.product() for _ in range(dice.among(CART_SIZES))):
            quantity = 1 + min(11, int(dice.exponential(self.person.appetite)))
            goods[product["sku"]] = product | {"quantity": quantity}
        for item in goods.values():
            self.track("Product Added", item | {"currency": "EUR"})
        return list(goods.values())

    def buy(self) -> None:
        """Check out in the browser; the server reports the order and, days later, a refund."""
        dice, order = self.dice, _order(self.dice, self.fill_cart())
        self.track("Checkout Started", order)
        self.serve("Order Completed", self.clock, dict(order))
        if dice.chance(CANCELLED):
            self.serve("Order Cancelled", self.clock + 5 * MINUTE + dice.below(2 * HOUR), order)
        elif dice.chance(REFUNDED):
            refund = _refund(dice, order)
            self.serve("Order Refunded", self.clock + 2 * DAY + dice.below(20 * DAY), refund)

    def serve(self, event: str, at: int, properties: Json) -> None:
        """Send a call from the server."""
        person, context = self.person, {"library": SERVER_LIBRARY}
        ids = {"userId": person.user_id}
        if person.accounts:  # who buys for a company says so
            context["groupId"] = next(iter(person.accounts))
        if person.kind == "guest":
            ids = {"anonymousId": self.device.anonymous_id}
            context["traits"] = {"email": _typed_email(self.dice, person)}
        head = {"type": "track", "channel": "server", "messageId": f"node-next-{self.dice.hex(24)}"}
        body = {"event": event, "properties": properties, "context": context}
        self.house.deliver(person, "shop_backend", head | ids | body, at)


def _typed_email(dice: Dice, person: Person) -> str:
    """Return the e-mail as people type it: capitals, blanks, now and then junk."""
    if dice.chance(JUNK_EMAIL):
        return dice.pick(JUNK_EMAILS)
    email = person.email
    return email if dice.chance(0.75) else dice.pick((email.title(), email.upper(), f" {email} ", f"{email} "))


def _typed_phone(dice: Dice, person: Person) -> str:
    """Return the phone as people type it: with + or, at home (GB), without."""
    if dice.chance(JUNK_PHONE) or not person.phone:
        return NO_PHONE
    code, national = person.origin.code, person.phone
    forms = [f"+{code} {national}", f"+{code}{national}".replace(" ", ""), f"+{code}-{national.replace(' ', '-')}"]
    if person.country == "GB":
        forms += [f"0{national}", f"0044 {national}", f"0{national}".replace(" ", "")]
    return dice.pick(forms)


def _cents(amount: float) -> int:
    return int(amount * 100 + 0.5)


def _order(dice: Dice, goods: list[Json]) -> Json:
    """Return an order's properties: revenue after discount; 20 % tax; shipping, free from 60 EUR."""
    gross = sum(_cents(item["price"]) * item["quantity"] for item in goods)
    discount = gross * dice.pick((0, 0, 0, 0, 5, 10, 15)) // 100
    revenue = gross - discount
    tax, shipping = (revenue + 2) // 5, 0 if revenue >= 60_00 else 4_95
    amounts = {"revenue": revenue, "subtotal": revenue, "discount": discount, "tax": tax, "shipping": shipping}
    amounts["total"] = revenue + tax + shipping
    money = {name: cents / 100 for name, cents in amounts.items()}
    return {"order_id": f"MC-{dice.hex(12).upper()}"} | money | {"currency": "EUR", "products": goods}


def _refund(dice: Dice, order: Json) -> Json:
    """Return a refund of the whole order or of its first product, at what was paid for the goods."""
    goods = order["products"] if dice.chance(REFUNDED_WHOLE) else order["products"][:1]
    gross = sum(_cents(item["price"]) * item["quantity"] for item in goods)
    total = gross * _cents(order["revenue"]) // _cents(order["revenue"] + order["discount"]) / 100
    is_unknown = dice.chance(REFUND_OF_UNKNOWN)
    order_id = f"MC-2024-{dice.below(10**6):06d}" if is_unknown else order["order_id"]
    return {"order_id": order_id, "total": total, "currency": "EUR", "products": goods}


def _household(seed: int, index: int, first_number: int) -> tuple[Household, int]:
    """Let one household live; return what it left and how many people it has."""
    dice = Dice(f"{seed}/{index}")
    house, size = Household(dice), 2 + dice.below(2) if dice.chance(FAMILY) else 1
    people = [Person(dice, first_number + n, dice.among(KINDS) if size == 1 else "member") for n in range(size)]
    if size > 1 and dice.chance(FAMILY_EMAIL):
        people[1].email = people[0].email
    family_device = Device(dice.uuid(), dice.pick(AGENTS), is_private=False)
    kiosk_id = Dice(f"{seed}/kiosk/{first_number // PEOPLE_PER_KIOSK}").uuid()
    kiosk = Device(kiosk_id, AGENTS[1], is_private=False, was_asked=True)
    visits = [visit for person in people for visit in _visits(dice, person)]
    for visit in sorted(visits, key=lambda v: (v.clock, v.person.number)):
        device = visit.person.devices[int(len(visit.person.devices) * dice.random() ** 2)]
        if size > 1 and dice.chance(FAMILY_DEVICE):
            device = family_device
        elif visit.person.kind == "member" and dice.chance(KIOSK_VISIT):
            device = kiosk
        visit.happen(house, device)
    for person in people:
        if person.created_at:
            house.tables += _said_elsewhere(Dice(f"{seed}/tables/{person.number}"), person)
    return house, size


def _said_elsewhere(dice: Dice, person: Person) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield what other tools know of a member, as (table, row)."""
    joined = DATES.index(str(person.created_at)[:10]) - MARGIN
    sends = [("email", person.email, n) for n in range(joined + 1, DAYS, MAILED_EVERY) if person.answer.get("email_marketing")]
    sends += [("sms", f"+{person.origin.code} {person.phone}", joined + 3)] * (person.phone is not None and dice.chance(SMS))
    for channel, recipient, day in sends:
        message_id, campaign, at = f"msg_{dice.hex(16)}", dice.pick(NEWSLETTERS).name, day * DAY + 9 * HOUR + dice.below(HOUR)
        events = [("sent", 0)] + [("bounced", 1)] * (is_lost := dice.chance(0.02)) + [("delivered", 1)] * (not is_lost)
        if channel == "email" and not is_lost and dice.chance(0.35):
            events.append(("opened", 60 + dice.below(600)))
            events += [("clicked", 700)] * dice.chance(0.3) + [("unsubscribed", 720)] * dice.chance(0.02)
        for event, minutes in events:
            if at + minutes * MINUTE < END:
                url = f"{SHOP_URL}/c/{person.favourite.lower()}" if event == "clicked" else ""
                yield "message_engagements", (message_id, channel, event, recipient, campaign, url, _iso(at + minutes * MINUTE))
    answered = (joined + 7 + dice.below(60)) * DAY + dice.below(DAY)
    if dice.chance(ANSWERS_SURVEY) and answered < END:
        score = dice.pick((10, 10, 9, 9, 9, 8, 8, 7, 6, 5, 3))
        group = "promoter" if score >= 9 else "passive" if score >= 7 else "detractor"
        answer = REMARKS[group] if dice.chance(0.4) else ""
        row = (f"resp_{dice.hex(12)}", "after_purchase", "nps", person.user_id, person.email, answer, score, _iso(answered))
        yield "survey_answers", row
    opened = (joined + dice.below(90)) * DAY + dice.below(DAY)
    if dice.chance(ASKS_SUPPORT) and opened < END:
        ticket_id, channel, subject = f"T-{dice.hex(8).upper()}", dice.pick(("email", "chat", "phone")), dice.pick(SUBJECTS)
        priority, solved = dice.pick(("low", "normal", "normal", "high", "urgent")), opened + HOUR + dice.below(6 * DAY)
        head, states = (ticket_id, "", _typed_email(dice, person), channel), [("open", "", opened)]
        if solved < END and dice.chance(0.9):
            states.append(("solved", _iso(solved), solved))
        for status, solved_at, updated in states:
            yield "support_tickets", (*head, status, priority, subject, _iso(opened), solved_at, _iso(updated))
    if dice.chance(ENRICHED):
        job = dice.pick(("architect", "teacher", "tiler", "designer"))
        yield "enrichments", (person.email, "", "", dice.pick(INDUSTRIES), job, person.country, "", _iso(END - DAY))


@dataclass(frozen=True)
class ShopSummary:
    """What was written. `events` counts lines; orders, refunds and late (over an hour) only good first deliveries."""

    people: int
    events: int
    orders: int
    refunds: int
    bad_lines: int
    duplicates: int
    late: int
    files: int


def generate(folder: Path, truth: Path, *, events: int = 40_000, seed: int = 7, files: int | None = None) -> ShopSummary:
    """Write the shop's landing files into `folder` and who is who into `truth`, replacing an earlier shop there.

    `events` is the number of lines in all (met to 1 %), `files` the number of day ranges that each source is cut into.
    Every file appears whole or not at all. Raises UsageError when `events` or `files` is out of range.
    """
    files = min(200, max(8, events // 20_000)) if files is None else files
    if events < SMALLEST or not 1 <= files <= DAYS:
        raise UsageError(
            "The demo shop cannot have this size.",
            found=f"events={events}, files={files}",
            allowed=f"{SMALLEST} events or more, 1 to {DAYS} files",
            fix="ask for more events, or leave the number of files out",
        )
    with _replacing(folder, "shop_*/events-*.ndjson.gz") as landing, _replacing(truth, "*.csv") as known:
        counts, clicks = _live(landing, known, events, seed, files)
        spools = sorted(landing.glob("*/*.spool"))
        for spool in spools:
            _sort(spool)
        with _csv(landing / "tables" / "ad_spend.csv", AD_SPEND) as table:
            table.writerows(_ad_spend(seed, clicks))
    counts["files"] = len(spools)
    return ShopSummary(**{f.name: counts[f.name] for f in fields(ShopSummary)})


def _live(landing: Path, known: Path, events: int, seed: int, files: int) -> tuple[Counter[str], Clicks]:
    """Let household after household live until there are enough lines; return what there is to count."""
    counts: Counter[str] = Counter()
    clicks: Clicks = Counter()
    pending: defaultdict[tuple[str, int], list[bytes]] = defaultdict(list)
    identifier_columns = ("identifier_type", "identifier_value", "person_id")
    with (
        _csv(known / "events.csv", ("message_id", "person_id")) as messages,
        _csv(known / "identifiers.csv", identifier_columns) as identifiers,
        ExitStack() as opened,
    ):
        tables = {
            name: opened.enter_context(_csv(landing / "tables" / f"{name}.csv", columns)) for name, columns in TABLES.items()
        }
        # One of the hosts is a company's own.
        tables["enrichments"].writerow(("", EMAIL_HOSTS[-1], "Post & Sons", "design", "", "GB", 40, _iso(END - 2 * DAY)))
        number = spooled = 0
        for index in count():
            is_full = counts["events"] >= events
            if is_full or counts["events"] - spooled >= SPOOLED_LINES:
                _spool(landing, pending)
                spooled = counts["events"]
            if is_full:
                break
            house, size = _household(seed, index, number)
            if counts["events"] + len(house.lines) > events * (1 + TOLERANCE):
                continue  # too many for what is left; a smaller household will fit
            number += size
            for source, day, line in house.lines:
                pending[source, day * files // DAYS].append(line)
            messages.writerows(house.messages)
            identifiers.writerows(sorted(house.identifiers))
            for table, row in house.tables:
                tables[table].writerow(row)
            clicks.update(house.clicks)
            counts.update(house.counts)
            counts["events"] += len(house.lines)
            counts["people"] += len({person for _, person in house.messages})
    return counts, clicks


def _spool(landing: Path, pending: defaultdict[tuple[str, int], list[bytes]]) -> None:
    for (source, n), lines in pending.items():
        path = landing / source / f"events-{n + 1:04d}.spool"
        path.parent.mkdir(exist_ok=True)
        with path.open("ab") as spool:
            spool.writelines(lines)
    pending.clear()


def _sort(spool: Path) -> None:
    """Turn a spool into its gzip file, calls in order of receivedAt."""
    lines = sorted(spool.read_bytes().split(b"\n")[:-1])
    with spool.with_suffix(".ndjson.gz").open("wb") as raw, gzip.GzipFile("", "wb", 5, raw, mtime=0) as packed:
        packed.write(b"".join(line.partition(b"\t")[2] + b"\n" for line in lines))
    spool.unlink()


def _ad_spend(seed: int, clicks: Clicks) -> list[tuple[Any, ...]]:
    """Return the rows of ad_spend in order of synced_at; some days come again, corrected, days later."""
    dice, rows = Dice(f"{seed}/ads"), []
    for campaign in CAMPAIGNS:
        key = (campaign.platform, *ACCOUNTS[campaign.platform], campaign.id, campaign.name, "EUR")
        for day in range(campaign.first_day, campaign.last_day + 1):
            seen = clicks[campaign.id, day]
            clicked = seen + sum(dice.chance(0.15) for _ in range(seen))  # some visitors block the tracker
            shown = 40 + dice.below(60) + clicked * (18 + dice.below(20))
            spend = int(clicked * campaign.click_cents * (0.8 + 0.4 * dice.random())) if campaign.appeal else shown * 8
            syncs = [(day, spend)]
            if dice.chance(RESTATED_SPEND):
                syncs.append((day + 1 + dice.below(4), int(spend * (0.9 + 0.2 * dice.random())) + 1))
            for synced, cents in syncs:
                if synced < DAYS:
                    at = _iso(synced * DAY + DAY - 5 * MINUTE)
                    rows.append((*key, clicked, shown, f"{cents / 100:.2f}", DATES[day + MARGIN], at))
    return sorted(rows, key=lambda row: (row[-1], row[0], row[3], row[-2]))


@contextmanager
def _csv(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    path.parent.mkdir(exist_ok=True, parents=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        yield writer


@contextmanager
def _replacing(folder: Path, pattern: str) -> Iterator[Path]:
    """Yield a scratch folder beside `folder`. If all goes well its files move there; others like `pattern` there go."""
    scratch = folder.with_name(f".{folder.name}.demo_shop.tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        yield scratch
        written = [path.relative_to(scratch) for path in sorted(scratch.rglob("*")) if path.is_file()]
        for name in written:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).replace(folder / name)
        for path in folder.glob(pattern):
            if path.relative_to(folder) not in written:
                path.unlink()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
