"""The tracking plan: read, checked, compiled to SQL, exchanged with other formats, compared.

Belongs: what turns `dbt_project/tracking_plan` into SQL and other people's plans into it. May not: data; the warehouse is asked by
whoever calls (`infer` takes what was observed).
"""
