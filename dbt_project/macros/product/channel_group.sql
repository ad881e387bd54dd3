{# The default channel group of a visit, after Google Analytics 4's published rules, tested in that order. Inputs are lower-case texts
   (category from seeds/reference/channel_sources.csv). A click id proves a paid click where only paid clicks carry it (google, microsoft). #}
{% macro channel_group(source, medium, campaign, category, click_platform) -%}
    {%- set is_paid -%} (coalesce({{ click_platform }}, '') in ('google', 'microsoft') or {{ matches("coalesce(" ~ medium ~ ", '')", "^(.*cp.*|ppc|retargeting|paid.*)$") }}) {%- endset -%}
    {%- set is_shopping -%} (coalesce({{ category }}, '') = 'shopping' or {{ matches("coalesce(" ~ campaign ~ ", '')", "^(.*(([^a-df-z]|^)shop|shopping).*)$") }}) {%- endset -%}
    case
        when {{ source }} is null and {{ medium }} is null and {{ campaign }} is null and {{ click_platform }} is null then 'Direct'
        when coalesce({{ source }}, '') = '(direct)' and coalesce({{ medium }}, '(none)') in ('(none)', '(not set)') then 'Direct'
        when coalesce({{ campaign }}, '') like '%cross-network%' then 'Cross-network'
        when {{ is_shopping }} and {{ is_paid }} then 'Paid Shopping'
        when (coalesce({{ category }}, '') = 'search' or coalesce({{ click_platform }}, '') in ('google', 'microsoft')) and {{ is_paid }} then 'Paid Search'
        when coalesce({{ category }}, '') = 'social' and {{ is_paid }} then 'Paid Social'
        when coalesce({{ category }}, '') = 'video' and {{ is_paid }} then 'Paid Video'
        when coalesce({{ medium }}, '') in ('display', 'banner', 'expandable', 'interstitial', 'cpm') then 'Display'
        when {{ is_paid }} then 'Paid Other'
        when {{ is_shopping }} then 'Organic Shopping'
        when
            coalesce({{ category }}, '') = 'social'
            or coalesce({{ click_platform }}, '') = 'facebook'
            or coalesce({{ medium }}, '') in ('social', 'social-network', 'social-media', 'sm', 'social network', 'social media')
            then 'Organic Social'
        when coalesce({{ category }}, '') = 'video' or {{ matches("coalesce(" ~ medium ~ ", '')", "^(.*video.*)$") }} then 'Organic Video'
        when coalesce({{ category }}, '') = 'search' or coalesce({{ medium }}, '') = 'organic' then 'Organic Search'
        when {{ matches("coalesce(" ~ medium ~ ", '')", "^(email|e-mail|e_mail|e mail)$") }} or {{ matches("coalesce(" ~ source ~ ", '')", "^(email|e-mail|e_mail|e mail)$") }} then 'Email'
        when coalesce({{ medium }}, '') in ('affiliate', 'affiliates') then 'Affiliates'
        when coalesce({{ medium }}, '') = 'audio' then 'Audio'
        when coalesce({{ source }}, '') = 'sms' or coalesce({{ medium }}, '') = 'sms' then 'SMS'
        when {{ matches("coalesce(" ~ medium ~ ", '')", "push$|mobile|notification") }} or coalesce({{ source }}, '') = 'firebase' then 'Mobile Push Notifications'
        when coalesce({{ medium }}, 'referral') in ('referral', 'app', 'link') then 'Referral'
        else 'Unassigned'
    end
{%- endmacro %}

{# The brand of a source: google for google, google.co.uk, news.google.com; bing for bing.com. #}
{% macro source_brand(source) -%}
    coalesce({{ extract_group("lower(" ~ source ~ ")", "(?:^|[.])([a-z0-9-]+)(?:[.](?:co|com|org|net))?[.][a-z]{2,}$") }}, lower({{ source }}))
{%- endmacro %}
