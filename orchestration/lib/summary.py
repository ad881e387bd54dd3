"""What a run found, in ten lines, read from the published snapshot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestration.lib import publish, snapshot


def summarise(published: Path, exports: Path) -> list[tuple[str, str]]:
    """Return (label, text) pairs for the current snapshot."""
    folder = publish.current(published)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    with snapshot.open_snapshot(published) as connection:

        def one(sql: str) -> tuple[Any, ...]:
            return connection.execute(sql).fetchone() or ()

        people, known = one("select count(*), count(*) filter (where is_known) from profiles.profiles")
        identifiers, shared = one("select count(*), count(*) filter (where profile_id is null) from identity.profile_identifiers")
        merges = one("select count(*) from identity.profile_merges")[0]
        accepted, held = one("select (select count(*) from events.events), (select count(*) from events.events_quarantine)")
        segments = connection.execute("select segment, count(*) from segments.rfm_segments group by 1 order by 1").fetchall()
        orders, revenue, net = one(
            "select count(*), coalesce(sum(revenue), 0), coalesce(sum(revenue - refunded), 0) from profiles.orders"
        )
        channel = one(
            """select channel, sum(revenue), sum(spend) from attribution.campaign_returns
            where model = 'linear' and channel not in ('unattributed', 'Direct')
            group by channel having sum(revenue) > 0 order by 2 desc, 1 limit 1"""
        )
        card = one("select status, auc, baseline_auc, reason from predictions.model_cards")
        audiences = connection.execute(
            "select audience, count(*) from audiences.audience_members where exited_at is null group by 1 order by 1"
        ).fetchall()
        sent = connection.execute(
            """select coalesce(sum(num_succeeded_add + num_succeeded_change + num_succeeded_remove), 0)
            from activation.sync_runs where planned_at = ?::timestamp""",
            [manifest["as_of"]],
        ).fetchall()[0][0]
    best = "no visit with a known origin led to an order"
    if channel:
        roas = f", return on spend {channel[1] / channel[2]:.2f}" if channel[2] else ", no spend reported"
        best = f"{channel[0]}: {channel[1]:,.2f} attributed revenue (linear model{roas})"
    model = "none"
    if card:
        model = (
            f"AUC {card[1]:.3f} out of time, baseline {card[2]:.3f} ({card[0]})" if card[1] is not None else f"refused: {card[3]}"
        )
    return [
        ("as of", f"{manifest['as_of']} UTC"),
        (
            "people",
            f"{people:,} ({known:,} known) from {identifiers:,} identifiers, {shared:,} of them shared; {merges:,} profiles merged",
        ),
        ("events", f"{accepted:,} accepted, {held:,} quarantined"),
        ("orders", f"{orders:,}; revenue {revenue:,.2f}, net of refunds {net:,.2f}"),
        ("segments", ", ".join(f"{name} {count:,}" for name, count in segments) or "none"),
        ("channel", best),
        ("model", f"repurchase {model}"),
        ("audiences", ", ".join(f"{name} {count:,}" for name, count in audiences) or "none"),
        ("exports", f"{exports} ({sent:,} changes as of this time)"),
        ("snapshot", f"{folder} ({len(manifest['rows'])} tables; `tessera query` reads it)"),
    ]
