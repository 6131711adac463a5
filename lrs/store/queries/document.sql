-- name: find
-- A document, and its bytes if they are one piece and $7 asks for them.
select d.content, d.content_type, d.sha1, d.size, d.updated_us, p.bytes
from document d
left join document_piece p
    on $7 and d.size <= $8 and p.tenant = d.tenant and p.content = d.content and p.place = 1
where d.tenant = $1 and d.kind = $2 and d.agent = $3 and d.activity = $4 and d.registration = $5 and d.key = $6

-- name: pieces
select bytes from document_piece where tenant = $1 and content = $2 order by place

-- name: piece
select bytes from document_piece where tenant = $1 and content = $2 and place = $3

-- name: create
-- Returns nothing when there is a document already.
with head as (
    insert into document (tenant, kind, agent, activity, registration, key, id, content_type, sha1, size, updated_us)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
    on conflict do nothing
    returning content
), written as (
    insert into document_piece (tenant, content, place, bytes)
    select $1, head.content, piece.place, piece.bytes
    from head cross join unnest($11::bytea[]) with ordinality as piece (bytes, place)
)
select content from head

-- name: replace
-- Returns nothing when the document is another one by now than that of $7.
with head as (
    update document set content = nextval('document_content'), content_type = $8, sha1 = $9, size = $10,
        updated_us = greatest((extract(epoch from clock_timestamp()) * 1000000)::bigint, updated_us + 1)
    where tenant = $1 and kind = $2 and agent = $3 and activity = $4 and registration = $5 and key = $6
        and content = $7
    returning content
), gone as (
    delete from document_piece where tenant = $1 and content = $7 and exists (select from head)
), written as (
    insert into document_piece (tenant, content, place, bytes)
    select $1, head.content, piece.place, piece.bytes
    from head cross join unnest($11::bytea[]) with ordinality as piece (bytes, place)
)
select content from head

-- name: delete
-- Returns nothing when the document is another one by now than that of $7.
with head as (
    delete from document
    where tenant = $1 and kind = $2 and agent = $3 and activity = $4 and registration = $5 and key = $6
        and content = $7
    returning content
), gone as (
    delete from document_piece where tenant = $1 and content = $7 and exists (select from head)
)
select content from head

-- name: ids
select distinct id from document
where tenant = $1 and kind = $2 and agent = $3 and activity = $4 and ($5::uuid is null or registration = $5)
    and updated_us > $6
order by id

-- name: clear
-- Locked in the order of the key, so that two that clear at once do not wait for each other in turn.
with doomed as (
    select registration, key from document
    where tenant = $1 and kind = $2 and agent = $3 and activity = $4 and ($5::uuid is null or registration = $5)
    order by registration, key
    for update
), head as (
    delete from document d using doomed
    where d.tenant = $1 and d.kind = $2 and d.agent = $3 and d.activity = $4
        and d.registration = doomed.registration and d.key = doomed.key
    returning d.content
)
delete from document_piece p using head where p.tenant = $1 and p.content = head.content
