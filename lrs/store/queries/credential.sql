-- name: find
select c.tenant, c.key, c.secret, c.salt, c.authority, c.voiding, c.scopes,
    extract(epoch from c.expires - now())::float8 as lasts
from credential c
where c.key = $1 and c.revoked is null and (c.expires is null or c.expires > now())

-- name: exists
select exists (select from credential where tenant = $1)

-- name: put_authority
insert into authority (tenant, agent, document) values ($1, $2, $3)
on conflict (tenant, agent) do update set document = authority.document
returning authority

-- name: put
insert into credential (tenant, key, secret, salt, authority, scopes, voiding)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (key) do update set secret = excluded.secret, salt = excluded.salt, scopes = excluded.scopes,
    voiding = excluded.voiding, expires = null, revoked = null
where credential.tenant = excluded.tenant
returning key

-- name: documents
select authority, document from authority where tenant = $1
