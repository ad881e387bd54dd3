-- What breaks the tracking plan, one row a message, rule and field, with what follows from it. `broken` is
-- filtered only once it is in rows: DuckDB would push a filter down and parse the JSON again for every rule.
with
    checked as ({{ plan_breaches(ref("stg_segment__events")) }}),

    entries as (
        select event_id, event, event_version, on_invalid, on_unplanned_property, entry
        from checked {{ text_rows("broken", "chr(30)", "entry") }}
    ),

    parsed as (
        select
            event_id,
            event,
            event_version,
            on_invalid,
            on_unplanned_property,
            {{ dbt.split_part("entry", "chr(31)", 1) }} as violation_type,
            {{ dbt.split_part("entry", "chr(31)", 2) }} as field,
            {{ dbt.split_part("entry", "chr(31)", 3) }} as expected,
            {{ dbt.split_part("entry", "chr(31)", 4) }} as rule_class,
            {{ dbt.split_part("entry", "chr(31)", 5) }} as property,
            {{ dbt.split_part("entry", "chr(31)", 6) }} as found
        from entries
        where entry <> ''
    ),

    -- Of an object with more properties than are planned, `property` holds those planned, `found` all: a
    -- row each.
    unfolded as (
        select parsed.*, violation_type = 'keys' as is_unplanned, key
        from
            parsed
            {{ text_rows("case when violation_type = 'keys' then found else '' end", "chr(29)", "key") }}
    ),

    described as (
        select
            event_id,
            event,
            event_version,
            on_invalid,
            on_unplanned_property,
            case when is_unplanned then 'Unplanned Property' else violation_type end as violation_type,
            case when is_unplanned then field || key else field end as field,
            case
                when violation_type = 'Required'
                then 'missing'
                when is_unplanned or rule_class = 'event'
                then 'not in the plan'
                when rule_class = 'version'
                then 'expected ' || expected
                else
                    'expected '
                    || expected
                    || ', found '
                    || case
                        found
                        when 'VARCHAR'
                        then 'string'
                        when 'NULL'
                        then 'null'
                        when 'BOOLEAN'
                        then 'boolean'
                        when 'ARRAY'
                        then 'array'
                        when 'OBJECT'
                        then 'object'
                        else 'number'
                    end
            end as detail,
            rule_class,
            case
                when is_unplanned and expected = '' then key when is_unplanned then expected else property
            end as property,
            found
        from unfolded
        where
            not is_unplanned
            or property = ''
            or {{ dbt.position("chr(29) || key || chr(29)", "chr(29) || property || chr(29)") }} = 0
    ),

    -- A property that is missing cannot be omitted, nor can a whole payload: such a message is allowed.
    judged as (
        select
            *,
            case
                when rule_class = 'invalid'
                then on_invalid
                when rule_class = 'unplanned_property'
                then on_unplanned_property
                when rule_class = 'event'
                then found
                else 'allow'
            end as enforced
        from described
    )

select
    event_id,
    violation_type,
    field,
    min(event) as event,
    min(event_version) as event_version,
    min(detail) as detail,
    min(property) as property,
    -- In the alphabet the stricter outcome comes later.
    max(
        case
            when enforced = 'quarantine'
            then 'quarantined'
            when enforced = 'omit' and violation_type <> 'Required' and property <> ''
            then 'omitted'
            else 'allowed'
        end
    ) as outcome
from judged
group by event_id, violation_type, field
