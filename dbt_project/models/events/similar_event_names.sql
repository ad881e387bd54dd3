-- Two names are alike when they have the same letters and digits (case, blanks and punctuation aside), or
-- when
-- leaving out one letter of each gives the same text: a letter too many, too few, other or moved.
with
    names as (
        select event as name, cast(sum(message_count) as bigint) as message_count
        from {{ ref("event_names") }}
        group by event
    ),

    letters as (select name, message_count, {{ letters_of("name") }} as letters from names),

    digits as (
        {% for digit in range(10) %}
            select {{ digit }} as digit{{ " union all " if not loop.last }}
        {% endfor %}
    ),

    places as (
        select tens.digit * 10 + ones.digit + 1 as place from digits as tens cross join digits as ones
    ),

    forms as (
        select
            letters.name,
            substr(letters.letters, 1, places.place - 1) || substr(letters.letters, places.place + 1) as form
        from letters
        inner join places on places.place <= length(letters.letters)
        where length(letters.letters) >= 5
        union all
        select name, letters as form
        from letters
        where length(letters) >= 5
    ),

    alike as (
        select a.name as event_a, b.name as event_b, 'one letter apart' as likeness
        from forms as a
        inner join forms as b on a.form = b.form and a.name < b.name
        union all
        select a.name as event_a, b.name as event_b, 'same letters' as likeness
        from letters as a
        inner join letters as b on a.letters = b.letters and a.name < b.name
    )

-- Same letters are one letter apart as well: the stronger word comes later in the alphabet.
select
    alike.event_a,
    alike.event_b,
    max(alike.likeness) as likeness,
    min(a.message_count) as message_count_a,
    min(b.message_count) as message_count_b
from alike
inner join names as a on alike.event_a = a.name
inner join names as b on alike.event_b = b.name
group by alike.event_a, alike.event_b
