-- Documents: State, Agent Profile and Activity Profile; and how new an activity's definition is.
--
-- A document's row says what it is; its bytes stand in pieces under a number that is new with each
-- change. So a change is one compare-and-set of that number, and pieces are written once.

create sequence document_content;

create table document (
    tenant int not null,
    kind smallint not null,         -- lrs.store.document.Kind
    agent bigint not null,          -- 0: none
    activity bigint not null,       -- 0: none
    registration uuid not null,     -- zeros: none
    key uuid not null,              -- 128-bit BLAKE2b of the id, which may have any length
    id text not null,
    content bigint not null default nextval('document_content'),
    content_type text not null,
    sha1 bytea not null,
    size bigint not null,
    updated_us bigint not null,     -- µs since 1970; rises with each change
    primary key (tenant, kind, agent, activity, registration, key)
);

create table document_piece (
    tenant int not null,
    content bigint not null,
    place int not null,             -- from 1 on
    bytes bytea not null,
    primary key (tenant, content, place)
);

-- µs since 1970: stored of the newest statement that had a say in the definition; null: it has none.
alter table activity add column defined_us bigint;
