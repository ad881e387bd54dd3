"""The tables that Python owns in the warehouse. It writes at three places only: `raw` (ingestion), the predictions of the models,
and the ledger of the syncs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class PythonTable:
    """Columns in DuckDB's words. `key` names the rows that are written together, and replaced together when written again."""

    ddl: str
    key: tuple[str, ...] = ()

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The columns as (name, type); other engines have no word for DuckDB's compression."""
        return [tuple(column.split()[:2]) for column in re.split(r",(?![^(]*\))", self.ddl)]  # type: ignore[misc]


# zstd for long texts: half the bytes and less CPU than the compression that DuckDB would choose. None for hashes: none helps.
TABLES = {
    # One readable delivered line, duplicates included. Times stay the text that was delivered: staging types them.
    "raw.events": PythonTable(
        """message_id varchar using compression uncompressed, type varchar, event varchar,
        user_id varchar, anonymous_id varchar, group_id varchar,
        timestamp varchar using compression zstd, original_timestamp varchar using compression zstd,
        sent_at varchar using compression zstd, received_at varchar using compression zstd,
        context varchar using compression zstd, properties varchar using compression zstd,
        traits varchar using compression zstd, integrations varchar, previous_id varchar, name varchar,
        source_id varchar, file_id varchar, line_number bigint""",
        key=("file_id",),
    ),
    # One landed file, known by the sha256 of its bytes as delivered. Written last: a file without its line here is loaded again.
    "raw.ingest_files": PythonTable(
        """file_id varchar, path varchar, source_id varchar, bytes bigint, sha256 varchar,
        lines bigint, rows_loaded bigint, rows_rejected bigint, rows_duplicate bigint"""
    ),
    # One line that could not be read.
    "raw.ingest_rejects": PythonTable(
        "file_id varchar, line_number bigint, raw_base64 varchar, reason varchar", key=("file_id",)
    ),
    # One phone as delivered, read as a number of the region; phone_e164 is null where it is not a number.
    "raw.phone_numbers": PythonTable("phone varchar, region varchar, phone_e164 varchar"),
    # One row of a spend report. A row delivered again, equal in every column, is counted as a duplicate, not stored.
    "raw.ad_spend": PythonTable(
        """platform varchar, account_id varchar, account_name varchar, campaign_id varchar, campaign_name varchar,
        currency varchar, clicks bigint, impressions bigint, spend decimal(18,4), date_day date, synced_at timestamp,
        file_id varchar, line_number bigint""",
        key=("file_id",),
    ),
    # One row of an ad platform's own report, as an ETL tool lands it; a restated day comes again with the same report_key.
    "raw.ad_reports": PythonTable(
        """platform varchar, report_key varchar, account_id varchar, campaign_id varchar, ad_id varchar, currency varchar,
        clicks bigint, impressions bigint, spend decimal(18,4), date_day date, synced_at timestamp,
        file_id varchar, line_number bigint""",
        key=("file_id",),
    ),
    # What a platform said about a campaign, or about an ad and the campaign it belongs to.
    "raw.ad_campaigns": PythonTable(
        """platform varchar, account_id varchar, campaign_id varchar, ad_id varchar, campaign_name varchar, updated_at timestamp,
        file_id varchar, line_number bigint""",
        key=("file_id",),
    ),
    # What became of an e-mail or an SMS.
    "raw.message_engagements": PythonTable(
        """message_id varchar, channel varchar, event varchar, recipient varchar, campaign varchar, url varchar, occurred_at timestamp,
        file_id varchar, line_number bigint""",
        key=("file_id",),
    ),
    # One answer to one question of a survey.
    "raw.survey_answers": PythonTable(
        """response_id varchar, survey varchar, question varchar, user_id varchar, email varchar, answer varchar,
        score decimal(18,4), answered_at timestamp, file_id varchar, line_number bigint""",
        key=("file_id",),
    ),
    # One state of a support ticket.
    "raw.support_tickets": PythonTable(
        """ticket_id varchar, user_id varchar, email varchar, channel varchar, status varchar, priority varchar, subject varchar,
        opened_at timestamp, solved_at timestamp, updated_at timestamp, file_id varchar, line_number bigint""",
        key=("file_id",),
    ),
    # What a vendor says about an e-mail address or a domain.
    "raw.enrichments": PythonTable(
        """email varchar, domain varchar, company varchar, industry varchar, job_title varchar, country varchar,
        employee_count bigint, observed_at timestamp, file_id varchar, line_number bigint""",
        key=("file_id",),
    ),
    # One row: the salt of identifier hashes. It lives in the warehouse, not in compiled SQL, so that no artefact of a run holds it.
    "raw.workspace": PythonTable("salt varchar"),
    "predictions.model_runs": PythonTable(
        """target varchar, model_version varchar, algorithm varchar, status varchar, reason varchar,
        train_rows bigint, train_positives bigint, test_rows bigint, test_positives bigint, auc double, baseline_auc double,
        auc_gain_lower double, auc_gain_upper double, lift_top_decile double, brier_score double, test_cutoff_at timestamp,
        as_of timestamp""",
        key=("target", "as_of"),
    ),
    "predictions.model_scores": PythonTable(
        "profile_id varchar, target varchar, model_version varchar, probability double, percentile double, as_of timestamp",
        key=("target", "as_of"),
    ),
    "ledger.sync_outcomes": PythonTable(
        """sync_id varchar, sync_run_id varchar, run_number bigint, record_key varchar, op_type varchar,
        payload varchar, payload_hash varchar, consent_basis varchar, status varchar, failure_reason varchar,
        consent_recorded_at timestamp, planned_at timestamp, attempted_at timestamp""",
        key=("sync_run_id",),
    ),
    # One sync run that sent something. Written after its outcomes.
    "ledger.sync_runs": PythonTable(
        """sync_run_id varchar, run_number bigint, sync_id varchar, destination varchar, file varchar, status varchar,
        num_planned_add bigint, num_planned_change bigint, num_planned_remove bigint, num_succeeded_add bigint,
        num_succeeded_change bigint, num_succeeded_remove bigint, num_held bigint, planned_at timestamp"""
    ),
}
