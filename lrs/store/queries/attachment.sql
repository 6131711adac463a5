-- name: claim
-- The row, made or found, is locked until the end: of several that bring the same data one writes them,
-- and nobody sweeps them away. Returns whether it was made.
insert into attachment as a (tenant, sha2, size, due_us)
values ($1, $2, $3, (extract(epoch from clock_timestamp()) * 1000000)::bigint + $4)
on conflict (tenant, sha2) do update
set due_us = case when a.due_us is not null then greatest(a.due_us, excluded.due_us) end
returning a.xmax = 0

-- name: use
insert into attachment_use (tenant, id, sha2)
select $1, id, $2 from unnest($3::uuid[]) as id order by id
on conflict do nothing

-- name: sizes
select sha2, size from attachment where tenant = $1 and sha2 = any ($2::bytea[])

-- name: used
select distinct a.sha2, a.size
from attachment_use u join attachment a on a.tenant = u.tenant and a.sha2 = u.sha2
where u.tenant = $1 and u.id = any ($2::uuid[])

-- name: piece
select bytes from attachment_piece where tenant = $1 and sha2 = $2 and place = $3

-- name: lock
-- What these statements use, locked in the order in which everybody locks: data first, then their uses.
select a.sha2 from attachment a
where a.tenant = $1
    and a.sha2 in (select u.sha2 from attachment_use u where u.tenant = $1 and u.id = any ($2::uuid[]))
order by a.sha2
for update

-- name: leave
delete from attachment_use where tenant = $1 and id = any ($2::uuid[]) and sha2 = any ($3::bytea[])

-- name: forget
-- Those without any use go; of the others each is looked at again later, and no sooner than somebody who has
-- announced a use was promised.
with used as (
    update attachment a
    set due_us = greatest(a.due_us, (extract(epoch from clock_timestamp()) * 1000000)::bigint + $3)
    where a.tenant = $1 and a.sha2 = any ($2::bytea[])
        and exists (select from attachment_use u where u.tenant = a.tenant and u.sha2 = a.sha2)
    returning a.sha2
), gone as (
    delete from attachment a
    where a.tenant = $1 and a.sha2 = any ($2::bytea[])
        and not exists (select from attachment_use u where u.tenant = a.tenant and u.sha2 = a.sha2)
    returning a.sha2
)
delete from attachment_piece p using gone where p.tenant = $1 and p.sha2 = gone.sha2

-- name: sweep
-- Looks at up to $1 that are due: an accepted statement uses it, so that it stays, or it goes, with the
-- uses that were announced. Whoever brings the same data meanwhile has the row's lock, or finds no row.
with due as materialized (
    select tenant, sha2 from attachment
    where due_us <= (extract(epoch from clock_timestamp()) * 1000000)::bigint
    order by due_us limit $1
    for update skip locked
), judged as materialized (
    select due.tenant, due.sha2, exists (
        select from attachment_use u join known_id k on k.tenant = u.tenant and k.id = u.id
        where u.tenant = due.tenant and u.sha2 = due.sha2
    ) as used
    from due
), kept as (
    update attachment a set due_us = null from judged j
    where j.used and a.tenant = j.tenant and a.sha2 = j.sha2
), uses as (
    delete from attachment_use u using judged j where not j.used and u.tenant = j.tenant and u.sha2 = j.sha2
), pieces as (
    delete from attachment_piece p using judged j where not j.used and p.tenant = j.tenant and p.sha2 = j.sha2
), gone as (
    delete from attachment a using judged j where not j.used and a.tenant = j.tenant and a.sha2 = j.sha2
)
select count(*) filter (where not used) as gone, count(*) as seen from judged
