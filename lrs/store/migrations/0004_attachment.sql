-- Attachments: data by their SHA-2, stored once in a tenant, and the statements that they came with.
--
-- Data are stored before their statement is accepted. So what was stored may turn out to be of no use;
-- each row says when to look whether it is of any, and says nothing once it is.

create table attachment (
    tenant int not null,
    sha2 bytea not null,            -- SHA-224, -256, -384 or -512: its length says which
    size bigint not null,
    due_us bigint,                  -- µs since 1970: look then whether an accepted statement uses it; null: one does
    primary key (tenant, sha2)
);

create index attachment_due on attachment (due_us) where due_us is not null;

create table attachment_piece (
    tenant int not null,
    sha2 bytea not null,
    place int not null,             -- from 1 on
    bytes bytea not null,
    primary key (tenant, sha2, place)
);

alter table attachment_piece alter column bytes set storage external; -- most are compressed already

create table attachment_use (
    tenant int not null,
    id uuid not null,               -- the statement's, which may have been refused
    sha2 bytea not null,
    primary key (tenant, id, sha2)
);

create index attachment_used on attachment_use (tenant, sha2);
