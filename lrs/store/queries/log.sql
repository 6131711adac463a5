-- What the PostgreSQL log asks of its tables; see migrations/0001_log.sql.

-- name: create
select log_create($1, $2, $3)

-- name: log_id
select log_id::text from log_topic where topic = $1

-- name: append
select * from log_append($1, $2, $3, $4)

-- name: append_claiming
select * from log_append($1, $2, $3, $4, $5, $6, $7, $8)

-- name: append_all
-- One record to each of several partitions, whose heads are locked in order.
select given.partition, appended.log_offset, appended.end_us
from (
    select * from unnest($2::int[], $3::bytea[], $4::int[]) as given (partition, record, statements)
    order by partition
) given
cross join lateral log_append($1, given.partition, given.record, given.statements) appended

-- name: tick
-- A locked head is being written to, so that its partition is not idle.
select count(*)
from (
    select partition from log_head
    where topic = $1 and last_us < (extract(epoch from clock_timestamp()) - $2::float8) * 1000000
    order by partition
    for update skip locked
) idle
cross join lateral log_append($1, idle.partition, ''::bytea, 0)

-- name: read
-- Records of each partition from an offset on, to the end of the segment that it lies in. A row
-- without log_offset says that the partition has more but that it is not there: it was forgotten.
-- Lengths come from the values' heads: what is over the limit is not fetched.
select wanted.partition, found.log_offset, found.end_us, found.value, found.skip, found.statements
from unnest($2::int[], $3::bigint[]) as wanted (partition, log_offset)
join log_head head
    on head.topic = $1 and head.partition = wanted.partition and head.next_offset > wanted.log_offset
left join lateral (
    select slot from log_segment
    where topic = $1 and firsts[wanted.partition + 1] <= wanted.log_offset
    order by ordinal desc
    limit 1
) segment on true
left join lateral (
    select *
    from (
        select *, sum(octet_length(value)) over (order by log_offset) - octet_length(value) as bytes_before
        from (
            select log_offset, end_us, value, skip, statements from log_record
            where slot = segment.slot and partition = wanted.partition and log_offset >= wanted.log_offset
            order by log_offset
            limit $4
        ) next
    ) measured
    where bytes_before < $5
) found on true
order by wanted.partition, found.log_offset

-- name: ends
select head.partition, oldest.firsts[head.partition + 1] as start, head.next_offset, head.last_us
from log_head head
cross join (
    select firsts from log_segment where topic = $1 and ordinal is not null order by ordinal limit 1
) oldest
where head.topic = $1
order by head.partition

-- name: current_segment
-- Whether the current segment holds anything, its bytes, and its age in seconds.
select slot, exists (
        select from log_head head
        where head.topic = $1 and head.next_offset > segment.firsts[head.partition + 1]
    ) as used,
    pg_table_size(format('log_record_%s', slot)::regclass) as bytes,
    extract(epoch from clock_timestamp() - opened)::float8 as age
from log_segment segment
where topic = $1 and ordinal is not null
order by ordinal desc
limit 1

-- name: rotate
select log_rotate($1, $2)

-- name: forgettable_segments
-- Closed segments, oldest first, that lie wholly before the given offsets (by partition from 0) and
-- were closed so many seconds ago; only an unbroken run from the oldest on.
select slot, ordinal
from (
    select slot, ordinal,
        bool_and(
            next_firsts is not null
            and closed <= clock_timestamp() - make_interval(secs => $3)
            and (select bool_and(f <= b) from unnest(next_firsts, $2::bigint[]) as bound (f, b))
        ) over (order by ordinal) as forgettable
    from (
        select slot, ordinal,
            lead(firsts) over (order by ordinal) as next_firsts,
            lead(opened) over (order by ordinal) as closed
        from log_segment
        where topic = $1 and ordinal is not null
    ) segment
) judged
where forgettable
order by ordinal

-- name: free_segment
-- Unless somebody freed it already, and it may hold another segment by now.
update log_segment set ordinal = null, firsts = null, opened = null where slot = $1 and ordinal = $2
returning slot
