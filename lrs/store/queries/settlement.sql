-- What became of statements that were taken.

-- name: reached
select next_offset >= $2 from stage_partition where stage = 'persist' and partition = $1

-- name: standing
-- By place, from 0: whether the id means this statement (null while it means none), and whether that is
-- stored, or was until it was erased.
select (c.place - 1)::int as place, k.digest = c.digest as equal,
    exists (select from statement s where s.tenant = $1 and s.pos = k.pos)
        or exists (select from erased e where e.tenant = $1 and e.pos = k.pos) as stored
from unnest($2::uuid[], $3::uuid[]) with ordinality as c (id, digest, place)
left join lateral (
    select digest, pos from known_id k where k.tenant = $1 and k.id = c.id limit 1
) k on true

-- name: put_aside
-- Which of these ids stand in a dead letter, and why; the id is null where a whole record does.
select id, reason from dead_letter where tenant = $1 and stage = 'persist' and id = any ($2::uuid[])
union all
select null, reason from dead_letter
where tenant = 0 and stage = 'persist' and partition = $3 and "offset" = $4 - 1 and place = -1
