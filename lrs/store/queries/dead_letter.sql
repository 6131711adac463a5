-- What could not be stored, or is no statement that can be: looked at, sent again, or given up.

-- name: add_statement
insert into dead_letter (tenant, stage, partition, "offset", place, id, reason, detail, raw, pos, authority, flags)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (tenant, stage, partition, "offset", place) do nothing

-- name: list
-- The newest first. A filter that is null lets everything pass.
select dead_letter, tenant, stage, partition, "offset", place, id, reason, detail, created
from dead_letter
where ($1::int is null or tenant = $1)
    and ($2::text is null or stage = $2)
    and ($3::text is null or reason = $3)
    and ($4::uuid is null or id = $4)
    and ($5::timestamptz is null or created >= $5)
order by dead_letter desc
limit $6

-- name: by_number
select dead_letter, tenant, stage, partition, "offset", place, id, reason, detail, created, raw, pos, authority, flags
from dead_letter where dead_letter = $1

-- name: free_id
-- A statement that could not be stored gives its id back, so that it can be sent again under it.
delete from known_id k
where k.tenant = $1 and k.id = $2 and k.pos = $3
    and not exists (select from statement s where s.tenant = k.tenant and s.pos = k.pos)

-- name: discard
delete from dead_letter where dead_letter = $1
