-- name: find
select c.tenant, t.name as tenant_name, c.key, c.secret, c.salt, c.authority, c.voiding, c.scopes, c.admin,
    extract(epoch from c.expires - now())::float8 as lasts,
    c.old_secret, c.old_salt, extract(epoch from c.old_until - now())::float8 as old_lasts
from credential c
join tenant t on t.tenant = c.tenant
where c.key = $1 and c.revoked is null and (c.expires is null or c.expires > now())

-- name: exists
select exists (select from credential where tenant = $1)

-- name: put_authority
insert into authority (tenant, agent, document) values ($1, $2, $3)
on conflict (tenant, agent) do update set document = authority.document
returning authority

-- name: put
insert into credential (tenant, key, secret, salt, authority, scopes, voiding, admin)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (key) do update set secret = excluded.secret, salt = excluded.salt, scopes = excluded.scopes,
    voiding = excluded.voiding, admin = excluded.admin, expires = null, revoked = null,
    old_secret = null, old_salt = null, old_until = null
where credential.tenant = excluded.tenant
returning key

-- name: add
insert into credential (tenant, key, secret, salt, authority, scopes, voiding, admin, expires)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (key) do nothing
returning key

-- name: list
select c.key, c.tenant, t.name as tenant_name, c.scopes, c.voiding, c.admin, c.created, c.expires, c.revoked,
    case when c.old_until > now() then c.old_until end as old_until, a.document as authority
from credential c
join tenant t on t.tenant = c.tenant
join authority a on a.tenant = c.tenant and a.authority = c.authority
where ($1::int is null or c.tenant = $1) and ($2::text is null or c.key = $2)
order by c.tenant, c.created, c.key

-- name: rotate
-- The secret that is replaced stays valid for $5 seconds.
update credential set secret = $3, salt = $4,
    old_secret = case when $5 > 0 then secret end, old_salt = case when $5 > 0 then salt end,
    old_until = case when $5 > 0 then now() + make_interval(secs => $5) end
where tenant = $1 and key = $2 and revoked is null
returning key

-- name: revoke
update credential set revoked = coalesce(revoked, now()), old_secret = null, old_salt = null, old_until = null
where tenant = $1 and key = $2
returning key

-- name: documents
select authority, document from authority where tenant = $1
