"""The Dagster graph: thin assets, checks, schedules and sensors, one module a concern.

Belongs: what runs after what. May not: SQL longer than a line, scikit-learn, HTTP; that is `lib/` and dbt.
"""
