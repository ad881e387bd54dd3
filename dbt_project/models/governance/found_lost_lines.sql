-- Lines in = rows loaded + rejected + duplicates, for every file, and the rows are really there.
with
    files as (select * from {{ source("raw", "ingest_files") }}),

    stored_events as (
        select file_id, count(*) as row_count from {{ source("raw", "events") }} group by file_id
    ),

    table_rows as (
        {% for table in [
            "ad_spend", "ad_reports", "ad_campaigns", "message_engagements", "survey_answers", "support_tickets", "enrichments",
        ] -%}
            select file_id from {{ source("raw", table) }} {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    stored_rows as (select file_id, count(*) as row_count from table_rows group by file_id),

    -- Of calls the duplicates are stored as well; a row of a table that was delivered before is not.
    stored as (
        select
            files.file_id,
            coalesce(stored_events.row_count, stored_rows.row_count, 0) as rows_stored,
            files.rows_loaded + case
                when stored_events.file_id is not null then files.rows_duplicate else 0
            end as rows_expected
        from files
        left join stored_events on files.file_id = stored_events.file_id
        left join stored_rows on files.file_id = stored_rows.file_id
    ),

    rejected as (
        select file_id, count(*) as rows_rejected from {{ source("raw", "ingest_rejects") }} group by file_id
    )

select
    files.file_id,
    files.path,
    files.lines,
    files.rows_loaded,
    files.rows_rejected,
    files.rows_duplicate,
    stored.rows_stored
from files
inner join stored on files.file_id = stored.file_id
left join rejected on files.file_id = rejected.file_id
where
    files.lines <> files.rows_loaded + files.rows_rejected + files.rows_duplicate
    or coalesce(rejected.rows_rejected, 0) <> files.rows_rejected
    or stored.rows_stored <> stored.rows_expected
