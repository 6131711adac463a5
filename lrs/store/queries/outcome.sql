-- The journal of outcomes; see migrations/0008_outcome.sql.

-- name: newest
-- Of each subject its names, and its newest outcome, if there is one; looked up by key, one by one, however
-- the planner judges the tables.
select s.place, coalesce(a.ifi, '') as ifi, coalesce(t.iri, '') as iri,
    o.id, o.revision, o.holds, o.effective_us, o.catalogue, o.evidence
from unnest($2::bigint[], $3::smallint[], $4::bigint[], $5::smallint[])
    with ordinality as s (agent, about, target, level, place)
left join lateral (select ifi from agent where tenant = $1 and agent = s.agent offset 0) a on true
left join lateral (select iri from activity where tenant = $1 and activity = s.target offset 0) t on true
left join lateral (
    select * from outcome
    where tenant = $1 and agent = s.agent and about = s.about and target = s.target and level = s.level
    order by revision desc limit 1
) o on true
order by s.place

-- name: take_numbers
-- The first of so many numbers of a partition. Its row stays locked, so that numbers are committed in order.
insert into outbox as o (partition, next_number) values ($1, 1 + $2)
on conflict (partition) do update set next_number = o.next_number + $2
returning next_number - $2

-- name: add
insert into outcome (tenant, partition, number, id, about, agent, target, level, revision, holds, retracts,
    effective_us, recorded_us, catalogue, evidence)
select $1, $2, $3 + place - 1, id, about, agent, target, level, revision, holds, retracts, effective_us, $4,
    catalogue, evidence
from unnest($5::uuid[], $6::smallint[], $7::bigint[], $8::bigint[], $9::smallint[], $10::int[], $11::boolean[],
    $12::uuid[], $13::bigint[], $14::int[], $15::bytea[]) with ordinality
    as new (id, about, agent, target, level, revision, holds, retracts, effective_us, catalogue, evidence, place)

-- name: partitions
select partitions from log_topic where topic = 'evidence'

-- name: feed
-- A tenant's outcomes after a number in each partition, as they were found; within a partition always by
-- their numbers, whatever the clocks said.
select told.*, max(told.recorded_us) over (partition by told.partition order by told.number) as found_us
from unnest($2::bigint[]) with ordinality as after (number, place)
cross join lateral (
    select * from outcome_told
    where tenant = $1 and partition = after.place - 1 and number > after.number order by number limit $3
) told
order by found_us, told.partition, told.number limit $3

-- name: of_agent
select * from outcome_told where tenant = $1 and agent = $2 and number > $3 order by number limit $4

-- name: unpublished
-- Every tenant's outcomes of a partition after a number.
select told.*
from tenant t
cross join lateral (
    select * from outcome_told
    where tenant = t.tenant and partition = $1 and number > $2 order by number limit $3
) told
order by told.number limit $3

-- name: outbox
-- The partitions that a worker owns: up to where they are published, and up to where there is something.
select o.partition, p.epoch, o.published, o.next_number - 1 as last
from outbox o
join stage_partition p on p.stage = 'score' and p.partition = o.partition
where p.owner = $1

-- name: mark_published
-- Nothing is marked by a worker that lost the partition.
update outbox o set published = $4
from stage_partition p
where p.stage = 'score' and p.partition = $1 and p.epoch = $2 and o.partition = $1 and o.published = $3

-- name: forget
delete from outcome where tenant = $1 and agent = $2
