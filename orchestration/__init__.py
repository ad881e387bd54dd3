"""Orchestration: what runs the warehouse project.

Belongs: the command line (`cli.py`), the collector of events (`collector.py`), where things are (`paths.py`), the Dagster graph
(`defs/`) and plain logic (`lib/`).
May not: business rules about customers; those are SQL in `dbt_project/` and `sql_traits/`.
"""
