-- The log, the ids that it has seen, and who reads it.
--
-- Instants are microseconds since 1970-01-01T00:00Z (`_us`). A topic is a set of partitions; a
-- partition is a sequence of records whose offsets are dense, since each is taken from the
-- partition's head row in the transaction that appends the record, under that row's lock: a reader
-- that sees offset 12 sees 11.

create table log_topic (
    topic text primary key,
    log_id uuid not null default gen_random_uuid(), -- names this incarnation
    partitions int not null check (partitions between 1 and 4096)
);

-- Where the next record of a partition goes. Small and hot: much free room keeps updates in place.
create table log_head (
    topic text not null references log_topic,
    partition int not null,
    next_offset bigint not null default 0,
    last_us bigint not null default 0, -- instant of the newest record
    slot int not null,                 -- of log_record: where it goes
    primary key (topic, partition)
) with (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- The ring. A topic has some slots, each a table; a slot in use is a segment of the log. Segments are
-- opened in turn and truncated whole, so that nothing is ever deleted row by row. When no slot is
-- free, another one is made: unread records are never overwritten.
create table log_segment (
    slot int primary key generated always as identity,
    topic text not null references log_topic,
    ordinal bigint,     -- segments are opened in this order; null: the slot is free
    firsts bigint[],    -- by partition: the first offset that stands in it, or would
    opened timestamptz,
    unique (topic, ordinal)
);

create table log_record (
    slot int not null,
    partition int not null,
    log_offset bigint not null,
    end_us bigint not null,      -- instant of the last of its statements
    statements int not null,     -- their number; instants are end_us - statements + 1 ... end_us
    skip int[],                  -- places, from 0, of statements that no stage may store
    value bytea not null,
    primary key (slot, partition, log_offset)
) partition by list (slot);
alter table log_record alter value set storage external; -- frames are compressed already

-- Every statement id that was ever accepted, with the digest of what it means and its place.
create table known_id (
    tenant int not null,
    id uuid not null,
    digest uuid not null,
    pos bigint not null,
    primary key (tenant, id)
) partition by hash (tenant, id);
create table known_id_0 partition of known_id for values with (modulus 8, remainder 0);
create table known_id_1 partition of known_id for values with (modulus 8, remainder 1);
create table known_id_2 partition of known_id for values with (modulus 8, remainder 2);
create table known_id_3 partition of known_id for values with (modulus 8, remainder 3);
create table known_id_4 partition of known_id for values with (modulus 8, remainder 4);
create table known_id_5 partition of known_id for values with (modulus 8, remainder 5);
create table known_id_6 partition of known_id for values with (modulus 8, remainder 6);
create table known_id_7 partition of known_id for values with (modulus 8, remainder 7);

-- How far a stage has come, and who may write for it: an output transaction moves next_offset and
-- theta_us on where the epoch is its own, and is refused otherwise.
create table stage_partition (
    stage text not null,
    partition int not null,
    topic text not null,
    epoch bigint not null default 0,
    owner text,                       -- a worker; null: free
    log_id text,                      -- the incarnation that next_offset speaks of
    next_offset bigint not null default 0,
    theta_us bigint not null default 0, -- instant of the last record done
    primary key (stage, partition)
) with (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- The living workers of a stage. Its heartbeat is its lease on every partition that it owns; it has
-- a row of its own, so that an open output transaction never keeps a heartbeat waiting.
create table stage_worker (
    stage text not null,
    worker text not null,
    heartbeat timestamptz not null,
    primary key (stage, worker)
) with (fillfactor = 25);

-- The key by which a statement is found and listed: when it was stored, in microseconds since
-- 2020-01-01T00:00Z, and in which partition.
create function pos_of(stored_us bigint, partition int) returns bigint
language sql immutable parallel safe
return ((stored_us - 1577836800000000) << 12) | partition;

-- Makes a slot for the topic and returns it. Attaching, unlike creating in place, stops no reader
-- and no writer of the other slots.
create function log_add_slot(of_topic text) returns int
language plpgsql as $$
declare
    made int;
begin
    insert into log_segment (topic) values (of_topic) returning slot into made;
    -- Its rows are never changed, and soon truncated: nothing to vacuum.
    execute format('create table log_record_%s (like log_record including all)'
        ' with (autovacuum_enabled = false, toast.autovacuum_enabled = false)', made);
    execute format('alter table log_record attach partition log_record_%s for values in (%s)', made, made);
    return made;
end $$;

-- Closes the topic's current segment, unless it is another one by now, and opens a free slot, or a
-- new one, instead. The heads are locked, in order: when they are released, nobody writes to the
-- segment before.
create function log_rotate(of_topic text, closing int) returns void
language plpgsql as $$
declare
    fresh int;
begin
    perform from log_head where topic = of_topic order by partition for update;
    if not exists (select from log_head where topic = of_topic and slot = closing) then
        return;
    end if;
    select slot into fresh from log_segment
        where topic = of_topic and ordinal is null order by slot limit 1 for update;
    if fresh is null then
        fresh := log_add_slot(of_topic);
    end if;
    update log_segment set
        ordinal = (select coalesce(max(ordinal) + 1, 0) from log_segment where topic = of_topic),
        firsts = (select array_agg(next_offset order by partition) from log_head where topic = of_topic),
        opened = clock_timestamp()
        where slot = fresh;
    update log_head set slot = fresh where topic = of_topic;
end $$;

-- Makes the topic with its partitions and ring, if it is not there, and returns its number of
-- partitions, which never changes.
create function log_create(new_topic text, new_partitions int, slots int) returns int
language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('log_create', 0));
    if not exists (select from log_topic where topic = new_topic) then
        insert into log_topic (topic, partitions) values (new_topic, new_partitions);
        insert into log_head (topic, partition, slot)
            select new_topic, partition, 0 from generate_series(0, new_partitions - 1) partition;
        for slot in 1 .. slots loop
            perform log_add_slot(new_topic);
        end loop;
        perform log_rotate(new_topic, 0);
    end if;
    return (select partitions from log_topic where topic = new_topic);
end $$;

-- Appends one record, claiming the ids of its statements first, if there are any to claim.
--
-- The head row is locked before anything else, because the position that a claim carries follows
-- from it; the claims are made in the order of their keys, so that two transactions that want the
-- same ids wait for each other in one direction only. `repeated` and `conflicts` are places, from 0,
-- of ids that were known before, with the same digest and with another one; every other claim of a
-- request with a conflict is taken back. When nothing of the record is new it is not written:
-- `written` is false, and offset and instant are those of the partition's newest record.
create function log_append(
    to_topic text,
    to_partition int,
    record bytea,
    statements int,
    tenants int[] default null,
    ids uuid[] default null,
    digests uuid[] default null,
    requests int[] default null,
    out log_offset bigint,
    out end_us bigint,
    out written boolean,
    out repeated int[],
    out conflicts int[]
) language plpgsql as $$
declare
    head log_head;
    claimed bigint;
    refused int[] := '{}';
    skip int[];
begin
    select * into head from log_head where topic = to_topic and partition = to_partition for update;
    if not found then
        raise exception 'there is no partition % of the topic %', to_partition, to_topic
            using errcode = 'no_data_found';
    end if;
    log_offset := head.next_offset;
    end_us := greatest((extract(epoch from clock_timestamp()) * 1000000)::bigint, head.last_us + statements);
    written := true;
    repeated := '{}';
    conflicts := '{}';

    if ids is not null then
        insert into known_id (tenant, id, digest, pos)
            select c.tenant, c.id, c.digest, pos_of(end_us - statements + c.place, to_partition)
            from unnest(tenants, ids, digests) with ordinality as c (tenant, id, digest, place)
            order by c.tenant, c.id
            on conflict do nothing;
        get diagnostics claimed = row_count;

        if claimed < statements then
            -- A place whose known position is not the one it asked for was not first. Limit 1 keeps
            -- the planner to one look into the index for each id, however large the table is.
            select coalesce(array_agg((c.place - 1)::int order by c.place) filter (where k.digest = c.digest), '{}'),
                   coalesce(array_agg((c.place - 1)::int order by c.place) filter (where k.digest <> c.digest), '{}')
                into repeated, conflicts
                from unnest(tenants, ids, digests) with ordinality as c (tenant, id, digest, place)
                cross join lateral (
                    select k.digest, k.pos from known_id k where k.tenant = c.tenant and k.id = c.id limit 1
                ) k
                where k.pos <> pos_of(end_us - statements + c.place, to_partition);
            if cardinality(repeated) + cardinality(conflicts) + claimed <> statements then
                raise exception 'an id was forgotten while it was claimed; ask again'
                    using errcode = 'serialization_failure';
            end if;

            if cardinality(conflicts) > 0 then
                refused := array(select distinct requests[place + 1] from unnest(conflicts) place);
                delete from known_id k
                    using unnest(tenants, ids, requests) with ordinality as c (tenant, id, request, place)
                    where c.request = any (refused) and k.tenant = c.tenant and k.id = c.id
                        and k.pos = pos_of(end_us - statements + c.place, to_partition);
            end if;
            skip := array(
                select (c.place - 1)::int
                from unnest(requests) with ordinality as c (request, place)
                where c.request = any (refused) or c.place - 1 = any (repeated)
                order by c.place
            );
            if cardinality(skip) = statements then
                log_offset := head.next_offset - 1;
                end_us := head.last_us;
                written := false;
                return;
            end if;
        end if;
    end if;

    insert into log_record (slot, partition, log_offset, end_us, statements, skip, value)
        values (head.slot, to_partition, log_append.log_offset, log_append.end_us, log_append.statements, skip,
                record);
    update log_head set next_offset = head.next_offset + 1, last_us = log_append.end_us
        where topic = to_topic and partition = to_partition;
end $$;
