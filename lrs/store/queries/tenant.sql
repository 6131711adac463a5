-- name: add
insert into tenant (name) values ($1) on conflict (name) do nothing returning tenant

-- name: find
select tenant from tenant where name = $1

-- name: list
select t.tenant, t.name, t.created,
    (select count(*) from credential c where c.tenant = t.tenant and c.revoked is null) as credentials,
    exists (select from catalogue c where c.tenant = t.tenant and c.in_force) as catalogue
from tenant t
order by t.tenant
