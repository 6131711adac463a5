-- name: ends
select next_offset from log_head where topic = $1 order by partition

-- name: reached
-- Whether a stage goes on at these offsets or later, given by partition from 0 on.
select not exists (
    select from unnest($2::bigint[]) with ordinality as wanted (next_offset, place)
    left join stage_partition done on done.stage = $1 and done.partition = wanted.place - 1
    where coalesce(done.next_offset, 0) < wanted.next_offset
)

-- name: consistent_through
select coalesce(min(theta_us), 0) from stage_partition where stage = 'persist'

-- name: thetas
select coalesce(array_agg(theta_us order by partition), '{}') from stage_partition where stage = 'persist'
