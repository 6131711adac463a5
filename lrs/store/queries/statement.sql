-- name: share_order
-- Of a void and its target, or a reference and its target, one sees the other: transactions with a
-- void or a reference take this lock exclusive, all others take it shared.
select pg_advisory_xact_lock_shared(x'6c727303'::bigint)

-- name: own_order
select pg_advisory_xact_lock(x'6c727303'::bigint)

-- name: awaited
-- Which of these statements an earlier void or reference was waiting for.
select target, pos, authority, anyone, true as voids
from void where tenant = $1 and target = any ($2::uuid[]) and target_pos is null
union all
select target, pos, 0, false, false
from statement_ref where tenant = $1 and target = any ($2::uuid[])

-- name: meet_voids
update void set target_pos = met.pos
from unnest($2::uuid[], $3::bigint[]) as met (target, pos)
where void.tenant = $1 and void.target = met.target and void.target_pos is null

-- name: add_refs
insert into statement_ref (tenant, target, pos)
select $1, target, pos from unnest($2::uuid[], $3::bigint[]) as fresh (target, pos)

-- name: void
-- Notes one void, and takes the target out of sight if it is there, is no void itself, and may be
-- voided by this authority. Returns the target if it was in sight until now.
with target as (
    select s.tenant, s.pos, s.flags, s.authority
    from known_id k join statement s on s.tenant = k.tenant and s.pos = k.pos
    where k.tenant = $1 and k.id = $2
), noted as (
    insert into void (tenant, target, pos, authority, anyone, target_pos)
    values ($1, $2, $3, $4, $5, (select pos from target))
)
update statement set voided = true
from target
where statement.tenant = target.tenant and statement.pos = target.pos and not statement.voided
    and statement.flags & $6 = 0 and ($5 or statement.authority = $4)
returning statement.pos, statement.id, statement.authority, statement.flags, statement.dictionary, statement.raw

-- name: by_id
select s.pos, s.actor, s.flags, s.dictionary, s.voided, s.raw, s.id, s.authority, a.agent as authority_agent
from known_id k
join statement s on s.tenant = k.tenant and s.pos = k.pos
join authority a on a.tenant = s.tenant and a.authority = s.authority
where k.tenant = $1 and k.id = $2

-- name: by_ids
select s.pos, s.flags, s.dictionary, s.raw, s.id, s.authority, a.agent as authority_agent
from known_id k
join statement s on s.tenant = k.tenant and s.pos = k.pos
join authority a on a.tenant = s.tenant and a.authority = s.authority
where k.tenant = $1 and k.id = any ($2::uuid[])

-- name: inherit
-- Gives terms of a statement and of those that it refers to in turn to what refers to it: to the
-- statements at $2 and, in turn, to those that refer to them. A term of distance n is that of the
-- n-th statement on the way; nobody inherits from farther away than $5.
with recursive heir (pos, distance) as (
    select pos, 1 from unnest($2::bigint[]) as first (pos)
    union
    select r.pos, h.distance + 1
    from heir h
    join statement s on s.tenant = $1 and s.pos = h.pos
    join statement_ref r on r.tenant = $1 and r.target = s.id
    where h.distance < $5
)
insert into posting (tenant, term, pos)
select distinct $1::int, inherited.term, heir.pos
from (select pos, min(distance) as distance from heir group by pos) heir
join unnest($3::bigint[], $4::int[]) as inherited (term, distance)
    on heir.distance + inherited.distance - 1 <= $5
order by 1, 2, 3
on conflict do nothing

-- name: add_dead_letter
insert into dead_letter (tenant, stage, partition, "offset", place, id, reason, detail, raw)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (tenant, stage, partition, "offset", place) do nothing

-- name: dictionaries
select dictionary, content from dictionary where dictionary = any ($1::int[])

-- name: newest_dictionary
select dictionary, content from dictionary order by dictionary desc limit 1

-- name: add_dictionary
insert into dictionary (dictionary, content) values ($1, $2) on conflict (dictionary) do nothing

-- name: authorities
select authority, agent, document from authority where tenant = $1 and authority = any ($2::int[])
