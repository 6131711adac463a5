-- Credentials: who administers others, and secrets that are replaced.

-- May manage the credentials of its tenant.
alter table credential add column admin boolean not null default false;
update credential set admin = true, scopes = array['all', 'person'] where tenant = 1 and key = 'root';

-- The secret before the last rotation, valid until an instant.
alter table credential add column old_secret bytea;
alter table credential add column old_salt bytea;
alter table credential add column old_until timestamptz;

-- Whether the statement at a pos, what it refers to, and so on, are all of one authority and one actor
-- (null: of any). As far as references are followed: lrs.store.statement.LONGEST_CHAIN.
create function refers_to_own(of_tenant int, at bigint, by_authority int, by_actor bigint)
returns boolean language sql stable as $$
    with recursive chain (pos, distance) as (
        select at, 0
        union all
        select k.pos, c.distance + 1
        from chain c
        join statement_ref r on r.tenant = of_tenant and r.pos = c.pos
        join known_id k on k.tenant = of_tenant and k.id = r.target
        where c.distance < 32
    )
    select bool_and((by_authority is null or s.authority = by_authority)
        and (by_actor is null or s.actor = by_actor))
    from chain c
    join statement s on s.tenant = of_tenant and s.pos = c.pos
$$;
