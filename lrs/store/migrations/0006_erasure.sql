-- Digests of what was stored, and the erasure of a person.

-- Count and sum of the ids of an authority's statements of some time, by partition, so that no two
-- writers share a row. A bucket is 2^level µs long, and counted from 2020 on (lrs.store.digest).
create table statement_digest (
    tenant int not null,
    authority int not null,     -- 0: all of them
    level smallint not null,
    bucket bigint not null,
    partition int not null,
    count bigint not null,
    sum numeric not null,       -- of 128-bit numbers; whoever reads takes it modulo 2^128
    primary key (tenant, authority, level, bucket, partition)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000);

-- What is stored already. The number of an id is the first half of SHA-256 of its 16 bytes.
insert into statement_digest (tenant, authority, level, bucket, partition, count, sum)
select tenant, coalesce(whose, 0), level, (pos >> 12) >> level, (pos & 4095)::int, count(*),
    sum(a) * (2::numeric ^ 96) + sum(b) * (2::numeric ^ 64) + sum(c) * (2::numeric ^ 32) + sum(d)
from (
    select tenant, authority, pos,
        ('x' || substr(hash, 1, 8))::bit(32)::bigint as a, ('x' || substr(hash, 9, 8))::bit(32)::bigint as b,
        ('x' || substr(hash, 17, 8))::bit(32)::bigint as c, ('x' || substr(hash, 25, 8))::bit(32)::bigint as d
    from (select tenant, authority, pos, encode(sha256(uuid_send(id)), 'hex') as hash from statement) hashed
) numbered
cross join unnest(array[22, 30, 38]) level
cross join lateral (values (authority), (null)) authorities (whose)
group by 1, 2, 3, 4, 5;

-- The audit trail: every erasure of a person, finished or not. Who it was is told by the key alone under
-- which the agent is interned, a hash.
create table erasure (
    tenant int not null,
    erasure bigint not null generated always as identity,
    agent bigint not null,
    key uuid not null,
    requested_by text not null,
    related boolean not null,           -- statements of others that name the person go as well
    through_us bigint[] not null,       -- by partition: what was stored until then is covered
    requested timestamptz not null default now(),
    finished timestamptz,
    statements bigint not null default 0,
    documents bigint not null default 0,
    kept bigint not null default 0,     -- statements of others that name the person still
    primary key (tenant, erasure)
);
create unique index erasure_open on erasure (tenant, agent) where finished is null;

-- What is left of an erased statement, besides its id and digest in known_id: that it was stored, so that
-- the digest of what was stored stays what it was. `learner`: whose derived rows are still to be made anew.
create table erased (
    tenant int not null,
    pos bigint not null,
    id uuid not null,
    authority int not null,
    learner bigint,
    primary key (tenant, pos)
);
create index erased_learner on erased (tenant, learner) where learner is not null;
