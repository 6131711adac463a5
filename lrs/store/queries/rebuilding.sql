-- name: own_rebuilding
-- One rebuilding at a time, until the connection ends.
select pg_try_advisory_lock(x'6c727305'::bigint)

-- name: stop_scoring
-- No output of the score stage is committed until this transaction ends.
select partition, next_offset from stage_partition where stage = 'score' order by partition for update

-- name: unfinished
select catalogue, digest, content, filled from catalogue where tenant = $1 and filled is not null

-- name: follow_score
-- The fill's own offsets begin where score is: the log keeps what comes after them.
insert into stage_partition (stage, topic, partition, log_id, next_offset, theta_us)
select $2, head.topic, head.partition, done.log_id, coalesce(done.next_offset, 0), coalesce(done.theta_us, 0)
from log_head head
left join stage_partition done on done.stage = 'score' and done.partition = head.partition
where head.topic = $1

-- name: fill
update catalogue set filled = $4 where tenant = $1 and catalogue = $2 and filled = $3

-- name: behind
-- By partition: where the fill goes on, where score goes on, and the slots in which the records lie.
select own.partition, own.next_offset as start, coalesce(score.next_offset, 0) as "end",
    array(select slot from log_segment where topic = own.topic and ordinal is not null) as slots
from stage_partition own
left join stage_partition score on score.stage = 'score' and score.partition = own.partition
where own.stage = $1
order by own.partition

-- name: advance
update stage_partition set next_offset = $4 where stage = $1 and partition = $2 and next_offset = $3

-- name: leave_force
update catalogue set in_force = false where tenant = $1 and in_force

-- name: enter_force
update catalogue set in_force = true, filled = null where tenant = $1 and catalogue = $2

-- name: stop_following
delete from stage_partition where stage = $1

-- name: forget_catalogue
delete from catalogue where tenant = $1 and catalogue = $2

-- name: superseded
-- Versions before the one that was in force before this one.
select catalogue from catalogue
where tenant = $1 and catalogue < $2
order by catalogue desc offset 1

-- name: drop_evidence
delete from evidence where ctid = any (array(
    select ctid from evidence where tenant = $1 and catalogue = $2 limit 5000))

-- name: drop_courses
delete from course_progress where ctid = any (array(
    select ctid from course_progress where tenant = $1 and catalogue = $2 limit 5000))

-- name: drop_levels
delete from standing where ctid = any (array(
    select ctid from standing where tenant = $1 and catalogue = $2 limit 5000))

-- name: drop_competencies
delete from competency where ctid = any (array(
    select ctid from competency where tenant = $1 and catalogue = $2 limit 5000))
