-- name: known
-- Which of these ids are known, with the digest of what they mean. Limit 1 keeps the planner to one
-- look into the index for each id.
select c.tenant, c.id, k.digest
from unnest($1::int[], $2::uuid[]) as c (tenant, id)
cross join lateral (select digest from known_id k where k.tenant = c.tenant and k.id = c.id limit 1) k

-- name: claim
-- In the order of the keys, so that two transactions that want the same ids wait for each other in
-- one direction only.
insert into known_id (tenant, id, digest, pos)
select tenant, id, digest, pos
from unnest($1::int[], $2::uuid[], $3::uuid[], $4::bigint[]) as c (tenant, id, digest, pos)
order by tenant, id, pos
on conflict do nothing

-- name: taken
-- Places, from 0, whose id belongs to a statement elsewhere.
select (c.place - 1)::int as place, k.digest = c.digest as equal
from unnest($1::int[], $2::uuid[], $3::uuid[], $4::bigint[]) with ordinality as c (tenant, id, digest, pos, place)
cross join lateral (
    select digest, pos from known_id k where k.tenant = c.tenant and k.id = c.id limit 1
) k
where k.pos <> c.pos
order by 1

-- name: add_blob
insert into log_blob (blob, value) values ($1, $2)

-- name: blob
select value from log_blob where blob = $1

-- name: forget_blobs
-- No record that the brokers still keep speaks of one that is older.
delete from log_blob where created < clock_timestamp() - make_interval(secs => $1)
