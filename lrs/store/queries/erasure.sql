-- name: begin
-- An erasure that was not finished goes on, and covers what was stored since then as well.
insert into erasure as e (tenant, agent, key, requested_by, related, through_us)
select $1, $2, a.key, $3, $4,
    (select array_agg(theta_us order by partition) from stage_partition where stage = 'persist')
from agent a where a.tenant = $1 and a.agent = $2
on conflict (tenant, agent) where finished is null do update
set related = e.related or excluded.related, through_us = excluded.through_us
returning erasure

-- name: find
select * from erasure where tenant = $1 and erasure = $2

-- name: trail
select * from erasure where tenant = $1 order by erasure

-- name: own
-- Statements whose actor the person is, and which the erasure covers.
select pos, id, authority, flags, dictionary, raw from statement
where tenant = $1 and actor = $5 and pos > $2
    and (pos >> 12) + 1577836800000000 <= ($3::bigint[])[(pos & 4095)::int + 1]
order by pos limit $4

-- name: related
-- Statements that are found by the person otherwise, and which the erasure covers.
select s.pos, s.id, s.authority, s.flags, s.dictionary, s.raw
from (
    select distinct pos
    from unnest($5::bigint[]) as wanted (term)
    cross join lateral (
        select pos from posting
        where tenant = $1 and posting.term = wanted.term and pos > $2
            and (pos >> 12) + 1577836800000000 <= ($3::bigint[])[(pos & 4095)::int + 1]
        order by pos limit $4
    ) named
    order by pos limit $4
) found
join statement s on s.tenant = $1 and s.pos = found.pos
order by s.pos

-- name: heirs
-- Statements that refer to these, and those that refer to them in turn, and so on.
with recursive heir (id, distance) as (
    select id, 0 from unnest($2::uuid[]) as first (id)
    union
    select s.id, h.distance + 1
    from heir h
    join statement_ref r on r.tenant = $1 and r.target = h.id
    join statement s on s.tenant = $1 and s.pos = r.pos
    where h.distance < $3
)
select s.pos, s.id, s.authority, s.flags, s.dictionary, s.raw
from (select distinct r.pos from heir h join statement_ref r on r.tenant = $1 and r.target = h.id) referring
join statement s on s.tenant = $1 and s.pos = referring.pos
where not s.id = any ($2::uuid[])

-- name: erase
with gone as (
    delete from statement where tenant = $1 and pos = any ($2::bigint[]) returning pos, id, authority, actor
), unreferred as (
    delete from statement_ref where tenant = $1 and pos = any ($2::bigint[])
), kept as (
    insert into erased (tenant, pos, id, authority, learner)
    select $1, pos, id, authority, nullif(actor, 0) from gone
)
update erasure set statements = statements + (select count(*) from gone) where tenant = $1 and erasure = $3

-- name: forget_postings
delete from posting p using unnest($2::bigint[], $3::bigint[]) as gone (term, pos)
where p.tenant = $1 and p.term = gone.term and p.pos = gone.pos

-- name: erase_documents
with gone as (
    delete from document where tenant = $1 and agent = $2 returning content
), pieces as (
    delete from document_piece p using gone where p.tenant = $1 and p.content = gone.content
)
update erasure set documents = documents + (select count(*) from gone) where tenant = $1 and erasure = $3

-- name: dead_letters
select dead_letter, raw from dead_letter where tenant = $1 and raw is not null order by dead_letter

-- name: empty_dead_letter
update dead_letter set raw = null where tenant = $1 and dead_letter = $2

-- name: learners
select distinct learner from erased where tenant = $1 and learner is not null order by learner limit $2

-- name: other_catalogues
select catalogue from catalogue where tenant = $1 and not in_force

-- name: refolded
update erased set learner = null where tenant = $1 and learner = $2

-- name: kept
select count(distinct pos) from posting where tenant = $1 and term = any ($2::bigint[])

-- name: forget_name
-- The name of the person, unless something that is kept names it. The key stays: the agent is the same
-- if it is ever seen again.
update agent set ifi = 'erased:' || key
where tenant = $1 and agent = $2
    and not exists (select from authority where tenant = $1 and agent = $2)
    and not exists (select from statement where tenant = $1 and actor = $2)

-- name: finish
update erasure set finished = now(), kept = $3 where tenant = $1 and erasure = $2
