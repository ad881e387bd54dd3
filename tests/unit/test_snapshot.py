"""What `tessera profile` prints."""

from __future__ import annotations

from orchestration.lib import snapshot


def test_a_person_is_described_with_where_each_field_comes_from_and_long_names_stand_apart() -> None:
    person = {
        "as_of": "2026-11-01T00:00:00",
        "profile": {"profile_id": "p1", "phone": None},
        "fields": [
            {"field": "country", "value": "GB", "rule": "latest", "source_id": "crm", "occurred_at": "2026-10-01 09:00:00"},
            {"field": "organisation", "value": "Acme", "rule": "latest", "source_id": "company_domains", "occurred_at": None},
        ],
        "identifiers": [{"identifier_type": "loyalty_card_number", "identifier_value": "K9", "event_count": 3}],
        "traits": {"products_viewed_in_the_last_year": "12"},
        "segment": [],
        "predictions": [],
        "audiences": [],
        "consent": {},
    }
    text = snapshot.describe_profile(person)
    assert "golden record\n  country                 GB  (latest: crm, 2026-10-01 09:00:00)\n" in text
    assert "  organisation            Acme  (latest: company_domains)\n" in text
    assert "  loyalty_card_number  K9  (3 events)" in text
    assert "  products_viewed_in_the_last_year  12" in text
    assert "phone" not in text
