-- Lines in = rows loaded + rejected + duplicates, for every file, and the rows are really there.
with
    files as (select * from {{ source("raw", "ingest_files") }}),

    stored as (
        select file_id, count(*) as rows_stored
        from
            (
                select file_id
                from {{ source("raw", "events") }}
                union all
                select file_id
                from {{ source("raw", "ad_spend") }}
            ) as stored_rows
        group by file_id
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
    coalesce(stored.rows_stored, 0) as rows_stored
from files
left join stored on files.file_id = stored.file_id
left join rejected on files.file_id = rejected.file_id
where
    files.lines <> files.rows_loaded + files.rows_rejected + files.rows_duplicate
    or coalesce(rejected.rows_rejected, 0) <> files.rows_rejected
    or coalesce(stored.rows_stored, 0) <> files.rows_loaded + files.rows_duplicate
