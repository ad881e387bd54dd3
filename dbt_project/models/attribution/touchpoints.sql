-- A visit that came from somewhere. A visit without a page (a server's message) says nothing about where
-- from.
select session_id as touchpoint_id, profile_id, channel, source, medium, campaign, started_at as touched_at
from {{ ref("sessions") }}
where channel is not null
