-- name: lock
-- The definitions, and how new they are, of these activities, locked in the order of their keys.
select a.tenant, a.activity, a.definition, coalesce(a.defined_us, 0)
from activity a
join unnest($1::int[], $2::bigint[]) as wanted (tenant, activity)
    on a.tenant = wanted.tenant and a.activity = wanted.activity
order by a.tenant, a.activity
for update of a

-- name: put
update activity a set definition = merged.definition, defined_us = merged.defined_us
from unnest($1::int[], $2::bigint[], $3::bytea[], $4::bigint[])
    as merged (tenant, activity, definition, defined_us)
where a.tenant = merged.tenant and a.activity = merged.activity

-- name: known
select iri, definition from activity where tenant = $1 and key = any ($2::uuid[]) and definition is not null
