"""Plain Python logic.

Belongs: typed functions that take what they need as arguments.
May not: Dagster, dbt, reads of the environment, I/O at import. A contract test holds this.
"""
