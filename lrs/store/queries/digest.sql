-- name: add
-- In the order of the key: writers of one partition come one after the other, others share no row.
insert into statement_digest as d (tenant, authority, level, bucket, partition, count, sum)
select * from unnest($1::int[], $2::int[], $3::smallint[], $4::bigint[], $5::int[], $6::bigint[], $7::numeric[])
order by 1, 2, 3, 4, 5
on conflict (tenant, authority, level, bucket, partition) do update
set count = d.count + excluded.count, sum = d.sum + excluded.sum

-- name: buckets
select coalesce(sum(found.count), 0)::bigint as count, coalesce(sum(found.sum), 0) as sum
from unnest($3::smallint[], $4::bigint[], $5::bigint[]) as span (level, low, high)
cross join lateral (
    select sum(count) as count, sum(sum) as sum from statement_digest
    where tenant = $1 and authority = $2 and level = span.level and bucket >= span.low and bucket < span.high
) found

-- name: ids
-- The ids, 16 bytes each, of what was stored in some short spans, erased or not.
select coalesce(string_agg(uuid_send(id), ''), '')
from unnest($2::bigint[], $3::bigint[]) as span (low, high)
cross join lateral (
    select id from statement where tenant = $1 and pos >= span.low and pos < span.high
    union all
    select id from erased where tenant = $1 and pos >= span.low and pos < span.high
) found

-- name: ids_of_authority
select coalesce(string_agg(uuid_send(id), ''), '')
from unnest($2::bigint[], $3::bigint[]) as span (low, high)
cross join lateral (
    select id from statement where tenant = $1 and authority = $4 and pos >= span.low and pos < span.high
    union all
    select id from erased where tenant = $1 and authority = $4 and pos >= span.low and pos < span.high
) found

-- name: list
(select pos, id from statement where tenant = $1 and pos >= $2 and pos < $3 order by pos limit $4)
union all
(select pos, id from erased where tenant = $1 and pos >= $2 and pos < $3 order by pos limit $4)
order by pos limit $4

-- name: list_of_authority
(select pos, id from statement where tenant = $1 and authority = $5 and pos >= $2 and pos < $3
    order by pos limit $4)
union all
(select pos, id from erased where tenant = $1 and authority = $5 and pos >= $2 and pos < $3
    order by pos limit $4)
order by pos limit $4

-- name: authority_of
select authority from credential where tenant = $1 and key = $2
