-- The store: statements with their postings, voids and references, identities, and what is derived.
--
-- Two rules hold for every table that grows. The tenant stands first in every unique key. Where the
-- table is about statements it is range-partitioned by pos, the statement's key:
--     pos = (stored in microseconds since 2020-01-01T00:00Z) << 12 | log partition
-- which is unique, orders statements by their stored time, and contains it.

create table tenant (
    tenant int primary key generated always as identity,
    name text not null unique,
    created timestamptz not null default now()
);
insert into tenant (name) values ('default');

-- Interned names. Numbers are given outside the transactions that use them, so a gap is normal and
-- an orphan harmless. The key is the 128-bit BLAKE2b of the canonical text, so that a text of any
-- length fits the index.

create table agent (
    tenant int not null,
    key uuid not null,
    agent bigint not null generated always as identity,
    ifi text not null,
    primary key (tenant, key)
);
create unique index agent_number on agent (tenant, agent);

create table activity (
    tenant int not null,
    key uuid not null,
    activity bigint not null generated always as identity,
    iri text not null,
    definition bytea,
    primary key (tenant, key)
);
create unique index activity_number on activity (tenant, activity);

create table verb (
    tenant int not null,
    key uuid not null,
    verb int not null generated always as identity,
    iri text not null,
    primary key (tenant, key)
);
create unique index verb_number on verb (tenant, verb);

-- An authority is the agent that vouches for a statement, as it is written into it.
create table authority (
    tenant int not null,
    authority int not null generated always as identity,
    agent bigint not null,
    document bytea not null,
    primary key (tenant, authority)
);
create unique index authority_agent on authority (tenant, agent);

create table credential (
    tenant int not null,
    key text not null,
    secret bytea not null,
    salt bytea not null,
    authority int not null,
    scopes text[] not null,
    voiding text not null default 'own' check (voiding in ('none', 'own', 'any')),
    created timestamptz not null default now(),
    expires timestamptz,
    revoked timestamptz,
    primary key (tenant, key)
);
-- A Basic credential's key alone finds its tenant.
create unique index credential_key on credential (key);

-- Compression dictionaries are immutable: a frame and a statement name theirs for ever.
create table dictionary (
    dictionary int primary key,
    content bytea not null,
    created timestamptz not null default now()
);

-- Statements.

create table statement (
    tenant int not null,
    authority int not null,
    pos bigint not null,
    actor bigint not null,      -- 0: an anonymous group
    object bigint not null,     -- the activity; 0: the object is something else
    verb int not null,
    flags int not null,         -- lrs.log.frame: what the sender gave
    dictionary int not null,
    voided boolean not null default false,
    id uuid not null,
    registration uuid not null, -- zeros: none (lrs.store.term.registration)
    raw bytea not null,         -- the sender's exact bytes, compressed with the dictionary
    primary key (tenant, pos)
) partition by range (pos);
alter table statement alter column raw set storage external;
create index statement_actor on statement (tenant, actor, pos);
create index statement_object on statement (tenant, object, pos) where object <> 0;
create index statement_verb on statement (tenant, verb, pos);
create index statement_authority on statement (tenant, authority, pos);
create index statement_registration on statement (tenant, registration, pos)
    where registration <> '00000000-0000-0000-0000-000000000000';

-- Everything else by which a statement is found: term = number << 3 | kind (lrs.store.term).
create table posting (
    tenant int not null,
    term bigint not null,
    pos bigint not null,
    primary key (tenant, term, pos)
) partition by range (pos);

create table statement_rest partition of statement default;
create table posting_rest partition of posting default;

-- Make the partitions of every month from one before `since` to two after it. A month of which there
-- are statements in the rest already stays there.
create function ensure_statement_partitions(since timestamptz) returns void language plpgsql as $$
declare
    month timestamp;
    low bigint;
    high bigint;
    parent text;
begin
    perform pg_advisory_xact_lock(x'6c727302'::bigint);
    for month in
        select generate_series(
            date_trunc('month', since at time zone 'UTC') - interval '1 month',
            date_trunc('month', since at time zone 'UTC') + interval '2 months', interval '1 month')
    loop
        low := (extract(epoch from month - timestamp '2020-01-01')::bigint * 1000000) << 12;
        high := (extract(epoch from month + interval '1 month' - timestamp '2020-01-01')::bigint * 1000000) << 12;
        foreach parent in array array['statement', 'posting'] loop
            if to_regclass(format('%s_%s', parent, to_char(month, 'YYYYMM'))) is null then
                begin
                    execute format('create table %I partition of %I for values from (%s) to (%s)',
                        parent || '_' || to_char(month, 'YYYYMM'), parent, low, high);
                exception when check_violation then null;
                end;
            end if;
        end loop;
    end loop;
end $$;

-- A void may come before its target, so it is kept by the target's id. target_pos: where the target
-- was when the two met; null while the target is unknown. A void by an authority that may void its
-- own statements only has no effect on another's.
create table void (
    tenant int not null,
    target uuid not null,
    pos bigint not null,
    authority int not null,
    anyone boolean not null,
    target_pos bigint,
    primary key (tenant, target, pos)
);
create index void_open on void (tenant, target) where target_pos is null;

-- Every statement whose object is a StatementRef; it matches the filters that its target matches.
create table statement_ref (
    tenant int not null,
    target uuid not null,
    pos bigint not null,
    primary key (tenant, target, pos)
);
create index statement_ref_pos on statement_ref (tenant, pos);

-- What cannot be stored although it was accepted, with the bytes and the reason.
create table dead_letter (
    tenant int not null,
    dead_letter bigint not null generated always as identity,
    stage text not null,
    partition int not null,
    "offset" bigint not null,
    place int not null,
    id uuid,
    reason text not null,
    detail text not null,
    raw bytea,
    created timestamptz not null default now(),
    primary key (tenant, dead_letter)
);
create unique index dead_letter_place on dead_letter (tenant, stage, partition, "offset", place);

-- What is derived, under a version of the catalogue: the next version is filled beside the one that
-- is in force, and then one row flips.

create table catalogue (
    tenant int not null,
    catalogue int not null,
    digest text not null,
    content text not null,
    in_force boolean not null default false,
    filled bigint,      -- while what is derived is made: learners below are done; null: all are
    loaded timestamptz not null default now(),
    primary key (tenant, catalogue)
);
create unique index catalogue_in_force on catalogue (tenant) where in_force;

-- The packed facts of one learner at one home activity (lrs.scoring.fact); progress is a fold over
-- them. A chunk that is full never changes again but for a retraction.
create table evidence (
    tenant int not null,
    catalogue int not null,
    agent bigint not null,
    activity bigint not null,
    chunk int not null,
    facts bytea not null,
    primary key (tenant, catalogue, agent, activity, chunk)
) with (fillfactor = 80);
alter table evidence alter column facts set storage external;

-- Which modules of a course a learner started and satisfied, and when (lrs.scoring.course).
create table course_progress (
    tenant int not null,
    catalogue int not null,
    agent bigint not null,
    course bigint not null,
    state bytea not null,
    primary key (tenant, catalogue, agent, course)
) with (fillfactor = 80);

-- The accumulators of one learner's competency at one level from one class of evidence
-- (lrs.scoring.competency).
create table competency (
    tenant int not null,
    catalogue int not null,
    agent bigint not null,
    competency bigint not null,
    level smallint not null,
    evidence smallint not null,
    w bigint not null,
    a bigint not null,
    e bigint not null,
    primary key (tenant, catalogue, agent, competency, level, evidence)
) with (fillfactor = 80);
