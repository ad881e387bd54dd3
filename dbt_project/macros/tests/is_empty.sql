{# A finding: the relation must have no row. #}
{% test is_empty(model) %}
select * from {{ model }}
{% endtest %}
