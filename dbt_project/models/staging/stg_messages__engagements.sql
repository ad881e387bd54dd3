-- What became of e-mails and SMS by then; the recipient is written as profiles hold it.
with
    delivered as (
        select * from {{ source("raw", "message_engagements") }} where occurred_at <= {{ as_of() }}
    ),

    numbers as (
        select phone, max(phone_e164) as phone_e164
        from {{ source("raw", "phone_numbers") }}
        where region = {{ text_literal(config_identity().default_region) }}
        group by phone
    )

select distinct
    delivered.message_id,
    delivered.channel,
    delivered.event,
    case when delivered.channel = 'sms' then 'phone' else 'email' end as identifier_type,
    case
        when delivered.channel = 'sms' then numbers.phone_e164 else lower(trim(delivered.recipient))
    end as identifier_value,
    delivered.campaign,
    delivered.url,
    delivered.occurred_at
from delivered
left join numbers on delivered.recipient = numbers.phone
