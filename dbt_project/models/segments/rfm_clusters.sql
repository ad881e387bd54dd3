-- k-means of people's recency, frequency and monetary value, on the logarithm in standard deviations
-- (config/rfm.yml, clusters; nothing without it). It starts from the quantiles, computes with exact decimals
-- and numbers the clusters by value, so that neither the order of rows nor chance changes a label.
{% set count = config_rfm().clusters or 0 %}
{% set dimensions = ["recency", "frequency", "monetary"] %}
{% set steps = 10 %}
with
    buyers as (
        select
            buyer_id,
            recency_days,
            frequency,
            monetary,
            cast(- ln(1 + recency_days) as {{ type_decimal() }}) as recency_size,
            cast(ln(1 + frequency) as {{ type_decimal() }}) as frequency_size,
            cast(ln(1 + greatest(monetary, 0)) as {{ type_decimal() }}) as monetary_size
        from {{ ref("int_buyers_measured") }}
        where level = 'profile' and moment = 0
    ),

    moments as (
        select
            {% for dimension in dimensions -%}
                {{ decimal_ratio("sum(" ~ dimension ~ "_size)", "count(*)") }} as {{ dimension }}_mean,
                {{ decimal_ratio("sum(" ~ dimension ~ "_size * " ~ dimension ~ "_size)", "count(*)") }}
                as {{ dimension }}_square{{ "," if not loop.last }}
            {% endfor %}
        from buyers
    ),

    deviations as (
        select
            {% for dimension in dimensions -%}
                {{ dimension }}_mean,
                cast(
                    sqrt(
                        greatest({{ dimension }}_square - {{ dimension }}_mean * {{ dimension }}_mean, 0)
                    ) as {{ type_decimal() }}
                ) as {{ dimension }}_deviation{{ "," if not loop.last }}
            {% endfor %}
        from moments
    ),

    -- Where everybody is alike in a dimension, it does not count.
    points as {{ materialized() }} (
        select
            {% for dimension in dimensions -%}
                coalesce(
                    {{ decimal_ratio("(buyers." ~ dimension ~ "_size - deviations." ~ dimension ~ "_mean)", "deviations." ~ dimension ~ "_deviation") }},
                    0
                ) as {{ dimension }}_score,
            {% endfor -%}
            buyers.recency_days,
            buyers.frequency,
            buyers.monetary,
            buyers.buyer_id
        from buyers
        cross join deviations
    ),

    centres_0 as (
        select
            {% for k in range(1, count + 1) -%}
                {% for dimension in dimensions -%}
                    {{ quantile(dimension ~ "_score", (2 * k - 1) / (2 * count)) }}
                    as {{ dimension }}_{{ k }},
                {% endfor -%}
            {% endfor -%}
            count(*) as point_count
        from points
    ),

    {% for step in range(1, steps + 1) if count -%}
        measured_{{ step }} as (
            select
                points.*,
                {% for k in range(1, count + 1) -%}
                    {% for dimension in dimensions -%}
                        (points.{{ dimension }}_score - centres.{{ dimension }}_{{ k }})
                        * (points.{{ dimension }}_score - centres.{{ dimension }}_{{ k }})
                        {{- " +" if not loop.last }}
                    {% endfor -%} as distance_{{ k }}{{ "," if not loop.last }}
                {% endfor %}
            from points
            cross join centres_{{ step - 1 }} as centres
        ),

        nearest_{{ step }} as (
            select
                *,
                case
                    {% for k in range(1, count) -%}
                        when
                            {% for other in range(k + 1, count + 1) -%}
                                {{ "and " if not loop.first }}coalesce(
                                    distance_{{ k }} <= distance_{{ other }}, distance_{{ other }} is null
                                )
                            {% endfor %}
                        then {{ k }}
                    {% endfor -%}
                    else {{ count }}
                end as cluster_number
            from measured_{{ step }}
        ),

        centres_{{ step }} as (
            select
                {% for k in range(1, count + 1) -%}
                    {% for dimension in dimensions -%}
                        {{ decimal_ratio(
                            "sum(case when cluster_number = " ~ k ~ " then " ~ dimension ~ "_score end)",
                            "count(case when cluster_number = " ~ k ~ " then 1 end)",
                        ) }} as {{ dimension }}_{{ k }},
                    {% endfor -%}
                {% endfor -%}
                count(*) as point_count
            from nearest_{{ step }}
        ),
    {% endfor -%}

    clustered as (
        {% if count -%}
            select buyer_id, recency_days, frequency, monetary, cluster_number from nearest_{{ steps }}
        {%- else -%}
            select buyer_id, recency_days, frequency, monetary, 0 as cluster_number from points where false
        {%- endif %}
    ),

    means as (
        select cluster_number, {{ decimal_ratio("sum(monetary)", "count(*)") }} as mean_monetary
        from clustered
        group by cluster_number
    ),

    numbered as (
        select means.cluster_number, count(*) as cluster
        from means
        inner join
            means as others
            on others.mean_monetary < means.mean_monetary
            or (others.mean_monetary = means.mean_monetary and others.cluster_number <= means.cluster_number)
        group by means.cluster_number
    )

select
    clustered.buyer_id as profile_id,
    cast(numbered.cluster as bigint) as cluster,
    clustered.recency_days,
    clustered.frequency,
    clustered.monetary,
    {{ as_of() }} as as_of
from clustered
inner join numbered on clustered.cluster_number = numbered.cluster_number
