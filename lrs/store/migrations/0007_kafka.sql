-- The log on Kafka, and what it takes to send a dead letter again.

-- A frame that is longer than its topic takes; its record names it.
create table log_blob (
    blob uuid primary key,
    value bytea not null,
    created timestamptz not null default clock_timestamp()
);
alter table log_blob alter value set storage external; -- frames are compressed already
create index log_blob_created on log_blob (created);

-- Of a statement: its place, whose it is, and its flags in its frame (lrs.log.frame).
alter table dead_letter add pos bigint, add authority int, add flags int;
create unique index dead_letter_number on dead_letter (dead_letter);
