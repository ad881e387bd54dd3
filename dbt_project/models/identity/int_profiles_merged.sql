{{ config(materialized="merge_replay") }}
select component, a, b, evidence_number
from {{ ref("int_evidence_ordered") }}
