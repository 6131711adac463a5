-- name: tenants
select tenant from tenant order by tenant

-- name: newest_learner
select coalesce(max(agent), 0) from agent where tenant = $1

-- name: cut
-- The learner at which a range ends that begins at $2 and has about $4 statements, if it ends before $3.
select actor from statement
where tenant = $1 and actor >= $2 and actor < $3
order by actor offset $4 limit 1

-- name: statements
select s.pos, s.id, s.authority, s.flags, s.dictionary, s.raw, s.voided,
    s.actor, s.object, s.verb, s.registration, k.pos as known_pos, k.digest as known_digest
from statement s
left join known_id k on k.tenant = s.tenant and k.id = s.id
where s.tenant = $1 and s.actor >= $2 and s.actor < $3

-- name: buried
select id from dead_letter where tenant = $1 and stage = $2 and id is not null

-- name: evidence
select agent, activity, chunk, facts from evidence
where tenant = $1 and catalogue = $2 and agent >= $3 and agent < $4

-- name: courses
select agent, course, state from course_progress
where tenant = $1 and catalogue = $2 and agent >= $3 and agent < $4

-- name: competencies
select agent, competency, level, evidence, w, a, e from competency
where tenant = $1 and catalogue = $2 and agent >= $3 and agent < $4

-- name: agents_named
select agent as number, ifi as name from agent where tenant = $1 and agent = any ($2::bigint[])

-- name: activities_named
select activity as number, iri as name from activity where tenant = $1 and activity = any ($2::bigint[])

-- name: missing_postings
-- Those of the terms by which a statement must be found, and is not.
select wanted.term, wanted.pos
from unnest($2::bigint[], $3::bigint[]) as wanted (term, pos)
where not exists (
    select from posting p where p.tenant = $1 and p.term = wanted.term and p.pos = wanted.pos
)

-- name: some_postings
-- About $1 postings, from pages taken at random, but the same ones each time.
with size as (
    select coalesce(sum(greatest(reltuples, 0)), 0) as rows from pg_partition_tree('posting') tree
    join pg_class on pg_class.oid = tree.relid and tree.isleaf
)
select p.tenant, p.term, p.pos, s.id, s.authority, s.flags, s.dictionary, s.raw
from posting p tablesample system ((select least(100, 100 * $1::float8 / greatest(rows, 1)) from size)) repeatable (1)
left join statement s on s.tenant = p.tenant and s.pos = p.pos
limit $1::int

-- name: tails
-- By partition of a log: the offset at which a stage goes on, the offset that comes next, and the
-- slots in which the records lie.
select head.partition, coalesce(done.next_offset, 0) as done, head.next_offset as "end",
    array(select slot from log_segment where topic = $1 and ordinal is not null) as slots
from log_head head
left join stage_partition done on done.stage = $2 and done.partition = head.partition
where head.topic = $1
order by head.partition

-- name: records
select log_offset, value from log_record
where slot = any ($1::int[]) and partition = $2 and log_offset >= $3 and log_offset < $4
order by log_offset

-- name: agent_keys
select agent as number, key from agent where tenant = $1 and agent = any ($2::bigint[])

-- name: activity_keys
select activity as number, key from activity where tenant = $1 and activity = any ($2::bigint[])
