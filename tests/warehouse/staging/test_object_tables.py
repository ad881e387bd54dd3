"""The ad platforms' own reports, from the files of an ETL tool to daily spend."""

from __future__ import annotations

import csv
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration.lib import load
from orchestration.lib.warehouse import Embedded
from tests.warehouse.bare import BareProject, raw_tables

MODELS = ("stg_ad_platforms__campaign_spends", "stg_ad_reporting__campaign_spends")


def _read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_the_reports_of_google_facebook_and_microsoft_give_the_spend_that_they_hold(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "ad_reporting"
    for file in folder.glob("*_data.csv"):
        (tmp_path / file.name).symlink_to(file)
    with duckdb.connect() as connection:
        raw_tables(connection)
        report = load.load_tables(Embedded(connection), [tmp_path], region="GB")
        report.raise_for_refused()
        assert {file.path.name: (file.rows_rejected, file.rows_duplicate) for file in report.files if file.rows_rejected} == {}
        BareProject(connection).run(MODELS)
        spends = connection.execute(
            "select platform, sum(spend), count(*), count(campaign_name) from staging.stg_ad_reporting__campaign_spends group by all"
        ).fetchall()
        days = connection.execute(
            "select platform, campaign_id, spend_date, spend, clicks from staging.stg_ad_reporting__campaign_spends"
        ).fetchall()
    totals = {f"{row['platform']}_ads": row for row in _read(folder / "_spend_totals_computed.csv")}
    for platform, spend, _, _ in spends:
        assert spend == Decimal(totals[platform]["spend"]), platform
    # By day and campaign, as the peer's report models sum it.
    google = Counter()
    for row in _read(folder / "google_ads_campaign_stats_data.csv"):
        google[row["id"], row["date"]] += int(row["cost_micros"])
    found = {
        (campaign, str(day)): int(spend * 1_000_000) for platform, campaign, day, spend, _ in days if platform == "google_ads"
    }
    assert found == dict(google)
    clicks = sum(int(row["inline_link_clicks"]) for row in _read(folder / "facebook_ads_basic_ad_data.csv"))
    assert sum(row[4] for row in days if row[0] == "facebook_ads") == clicks
    campaigns = {row["campaign_id"] for row in _read(folder / "facebook_ads_ad_history_data.csv")}
    ads = {row["ad_id"] for row in _read(folder / "facebook_ads_basic_ad_data.csv")}
    assert {row[1] for row in days if row[0] == "facebook_ads"} <= campaigns | ads
