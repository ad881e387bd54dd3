{{ config(materialized="succession") }}
-- Whose profile an identifier was in, step by step: its own, the one that succeeded it, and so on.
select identifier_id, successor_id, evidence_number, event_id, merged_at
from {{ ref("int_profiles_ended") }}
