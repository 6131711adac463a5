-- name: statements
-- Statements that are found by the person, voided or not: those of the person's own, those that name the
-- person or refer to such a one, and those that the person's credential vouches for.
select s.pos, s.id, s.authority, s.flags, s.dictionary, s.raw, s.voided, s.actor = $2 as own
from (
    select distinct pos from (
        (select pos from statement where tenant = $1 and actor = $2 and pos > $3 order by pos limit $4)
        union all
        (select pos from posting where tenant = $1 and term = $5 and pos > $3 order by pos limit $4)
        union all
        (select pos from posting where tenant = $1 and term = $6 and pos > $3 order by pos limit $4)
        union all
        (select pos from statement
            where tenant = $1 and authority = (select authority from authority where tenant = $1 and agent = $2)
                and pos > $3
            order by pos limit $4)
    ) found
    order by pos limit $4
) page
join statement s on s.tenant = $1 and s.pos = page.pos
order by s.pos

-- name: attachments
select distinct u.sha2 from attachment_use u join attachment a on a.tenant = u.tenant and a.sha2 = u.sha2
where u.tenant = $1 and u.id = any ($2::uuid[])

-- name: documents
select d.kind, d.id, d.registration, d.content, d.content_type, d.size, d.updated_us, a.iri as activity
from document d
left join activity a on a.tenant = d.tenant and a.activity = d.activity
where d.tenant = $1 and d.agent = $2
order by d.kind, d.activity, d.registration, d.key
