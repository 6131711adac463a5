-- name: find_agent
select key, agent as number from agent where tenant = $1 and key = any ($2::uuid[])

-- name: add_agent
insert into agent (tenant, key, ifi)
select $1, key, name from unnest($2::uuid[], $3::text[]) as wanted (key, name) order by key
on conflict (tenant, key) do nothing
returning key, agent as number

-- name: find_activity
select key, activity as number from activity where tenant = $1 and key = any ($2::uuid[])

-- name: add_activity
insert into activity (tenant, key, iri)
select $1, key, name from unnest($2::uuid[], $3::text[]) as wanted (key, name) order by key
on conflict (tenant, key) do nothing
returning key, activity as number

-- name: find_verb
select key, verb as number from verb where tenant = $1 and key = any ($2::uuid[])

-- name: add_verb
insert into verb (tenant, key, iri)
select $1, key, name from unnest($2::uuid[], $3::text[]) as wanted (key, name) order by key
on conflict (tenant, key) do nothing
returning key, verb as number
