-- Outcomes: what became true of learners, in the order in which it was found, for whoever follows it.

-- A journal: rows are added by the score stage in the transaction that changes what is derived, and never
-- changed. Within a partition of the evidence log, the learner's, `number` grows in the order of commits.
create table outcome (
    tenant int not null,
    partition int not null,
    number bigint not null,
    id uuid not null,
    about smallint not null,            -- lrs.scoring.outcome.About
    agent bigint not null,              -- 0: it is about nobody
    target bigint not null,             -- activity, course or competency; 0: none
    level smallint not null,            -- 0: none
    revision int not null,              -- of its subject: agent, about, target, level
    holds boolean not null,
    retracts uuid,
    effective_us bigint not null,
    recorded_us bigint not null,
    catalogue int not null,
    evidence bytea not null,            -- pairs of effective time (8 bytes, µs since 1970) and statement id
    primary key (tenant, partition, number)
);
create unique index outcome_subject on outcome (tenant, agent, about, target, level, revision);

-- The same with names.
create view outcome_told as
select o.*, t.name as tenant_name, a.ifi, i.iri, c.digest
from outcome o
join tenant t on t.tenant = o.tenant
left join agent a on a.tenant = o.tenant and a.agent = o.agent
left join activity i on i.tenant = o.tenant and i.activity = o.target
left join catalogue c on c.tenant = o.tenant and c.catalogue = o.catalogue;

-- By partition: the number that comes next, and the greatest that was published.
create table outbox (
    partition int primary key,
    next_number bigint not null default 1,
    published bigint not null default 0
) with (fillfactor = 25);

-- The level of one learner's competency as it was last read out, and the day (since 2020-01-01, in
-- Asia/Kolkata) on which to look again, since it changes by time alone (null: it stays). Derived, under a
-- version of the catalogue.
create table standing (
    tenant int not null,
    catalogue int not null,
    agent bigint not null,
    competency bigint not null,
    level smallint not null,
    look_again int,
    primary key (tenant, catalogue, agent, competency)
) with (fillfactor = 80);
create index standing_due on standing (tenant, catalogue, look_again) where look_again is not null;
