-- Who reads which partition, and how far it has come; see migrations/0001_log.sql.

-- name: ensure
-- Rows for every partition that a stage reads, with the offsets at which it begins.
insert into stage_partition (stage, topic, partition, next_offset)
select $1, $2, place - 1, next_offset from unnest($3::bigint[]) with ordinality as first (next_offset, place)
on conflict do nothing

-- name: heartbeat
insert into stage_worker (stage, worker, heartbeat) values ($1, $2, clock_timestamp())
on conflict (stage, worker) do update set heartbeat = excluded.heartbeat

-- name: expire
-- A worker that is silent for too long is dead, and its partitions are free.
delete from stage_worker
where stage = $1 and heartbeat < clock_timestamp() - make_interval(secs => $2)

-- name: standing
-- The number of partitions, the living workers, and what this one owns.
select
    (select count(*) from stage_partition where stage = $1) as partitions,
    array(select worker from stage_worker where stage = $1 order by worker) as workers,
    array(select partition from stage_partition where stage = $1 and owner = $2 order by partition) as owned

-- name: claim
-- Free partitions, or dead workers', up to a number; one whose row an output transaction holds is
-- left for the next time.
with free as materialized (
    select partition from stage_partition p
    where stage = $1 and (
        owner is null
        or not exists (select from stage_worker w where w.stage = p.stage and w.worker = p.owner)
    )
    order by partition
    limit $3
    for update skip locked
)
update stage_partition p set owner = $2 from free where p.stage = $1 and p.partition = free.partition
returning p.partition

-- name: seize
-- A new epoch for partitions that were assigned to this worker, whoever wrote for them before.
with given as materialized (
    select partition from stage_partition
    where stage = $1 and partition = any ($3::int[])
    order by partition
    for update
)
update stage_partition p set owner = $2, epoch = epoch + 1, log_id = coalesce(log_id, $4)
from given where p.stage = $1 and p.partition = given.partition
returning p.partition, p.epoch, p.log_id, p.next_offset, p.theta_us

-- name: evict
-- End what holds the rows of these partitions (without any: of those that no living worker owns) and has waited
-- for so long for a client that stands still. In the middle of a statement, of a COPY, that is not idle, and no
-- timeout of the server's ends it.
select pg_terminate_backend(holder.pid)
from stage_partition p
join pg_locks l on l.locktype = 'transactionid' and l.transactionid = p.xmax and l.mode = 'ExclusiveLock' and l.granted
join pg_stat_activity holder on holder.pid = l.pid
where p.stage = $1
    and case
        when $2::int[] is null then
            not exists (select from stage_worker w where w.stage = p.stage and w.worker = p.owner)
        else p.partition = any ($2)
    end
    and holder.wait_event_type = 'Client'
    and holder.query_start < clock_timestamp() - make_interval(secs => $3)

-- name: release
update stage_partition set owner = null where stage = $1 and owner = $2 and partition = any ($3::int[])

-- name: leave
with gone as (delete from stage_worker where stage = $1 and worker = $2)
update stage_partition set owner = null where stage = $1 and owner = $2

-- name: advance
-- The fence. The transaction it stands in is ended by the server if its client falls silent in the
-- middle, so that a stopped worker's row lock never outlives its lease.
with patience as (select set_config('idle_in_transaction_session_timeout', $7, true) as set)
update stage_partition
set next_offset = $5, theta_us = greatest(theta_us, $6)
from patience
where stage = $1 and partition = $2 and epoch = $3 and next_offset <= $4 and patience.set is not null

-- name: hold
-- The fence where nothing is advanced.
with patience as (select set_config('idle_in_transaction_session_timeout', $4, true) as set)
select from stage_partition, patience
where stage = $1 and partition = $2 and epoch = $3 and patience.set is not null
for update of stage_partition

-- name: offsets
-- How far every stage has come, with its owner and the seconds since the owner's last heartbeat.
select p.stage, p.topic, p.partition, p.epoch, p.owner, p.log_id, p.next_offset, p.theta_us,
    extract(epoch from clock_timestamp() - w.heartbeat)::float8 as silent
from stage_partition p
left join stage_worker w on w.stage = p.stage and w.worker = p.owner
order by p.stage, p.partition

-- name: consistent_through
select coalesce(min(theta_us), 0) from stage_partition where stage = $1

-- name: passed
-- By partition of a topic: the offset that every stage reading it has passed.
select partition, min(next_offset) as passed from stage_partition where topic = $1 group by partition
