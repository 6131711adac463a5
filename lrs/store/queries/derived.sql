-- name: evidence_of
-- Offset 0 keeps the planner to one look into the index for each key, however large the table is.
select e.agent, e.activity, e.chunk, e.facts
from unnest($3::bigint[], $4::bigint[]) as wanted (agent, activity)
cross join lateral (
    select * from evidence
    where tenant = $1 and catalogue = $2 and agent = wanted.agent and activity = wanted.activity
    offset 0
) e

-- name: courses_of
select c.agent, c.course, c.state
from unnest($3::bigint[], $4::bigint[]) as wanted (agent, course)
cross join lateral (
    select * from course_progress
    where tenant = $1 and catalogue = $2 and agent = wanted.agent and course = wanted.course
    offset 0
) c

-- name: put_evidence
insert into evidence (tenant, catalogue, agent, activity, chunk, facts)
select $1, $2, * from unnest($3::bigint[], $4::bigint[], $5::int[], $6::bytea[])
on conflict (tenant, catalogue, agent, activity, chunk) do update set facts = excluded.facts

-- name: put_courses
insert into course_progress (tenant, catalogue, agent, course, state)
select $1, $2, * from unnest($3::bigint[], $4::bigint[], $5::bytea[])
on conflict (tenant, catalogue, agent, course) do update set state = excluded.state

-- name: add_competencies
-- Returns all accumulators of these competencies as they were before, with the level that was read out of
-- them and the day on which to look again (-1: never; -2: it was never read out).
with added as (
    insert into competency (tenant, catalogue, agent, competency, level, evidence, w, a, e)
    select $1, $2, *
    from unnest($3::bigint[], $4::bigint[], $5::smallint[], $6::smallint[], $7::bigint[], $8::bigint[], $9::bigint[])
    on conflict (tenant, catalogue, agent, competency, level, evidence) do update
    set w = competency.w + excluded.w, a = competency.a + excluded.a, e = competency.e + excluded.e
)
select c.agent, c.competency, c.level, c.evidence, c.w, c.a, c.e,
    coalesce(s.level, -2) as stood,
    case when s.level is null then -2 else coalesce(s.look_again, -1) end as look_again
from (select distinct agent, competency from unnest($3::bigint[], $4::bigint[]) as given (agent, competency)) wanted
cross join lateral (
    select * from competency
    where tenant = $1 and catalogue = $2 and agent = wanted.agent and competency = wanted.competency
    offset 0
) c
left join lateral (
    select * from standing
    where tenant = $1 and catalogue = $2 and agent = wanted.agent and competency = wanted.competency
    offset 0
) s on true

-- name: put_levels
insert into standing (tenant, catalogue, agent, competency, level, look_again)
select $1, $2, * from unnest($3::bigint[], $4::bigint[], $5::smallint[], $6::int[])
on conflict (tenant, catalogue, agent, competency) do update
set level = excluded.level, look_again = excluded.look_again

-- name: levels_due
-- Levels of the learners of a partition of the evidence log that are to be looked at on a day.
select agent, competency, level from standing
where tenant = $1 and catalogue = $2 and look_again <= $3
    and agent % (select partitions from log_topic where topic = 'evidence') = $4
order by look_again limit $5

-- name: competencies_of
select c.agent, c.competency, c.level, c.evidence, c.w, c.a, c.e
from unnest($3::bigint[], $4::bigint[]) as wanted (agent, competency)
cross join lateral (
    select * from competency
    where tenant = $1 and catalogue = $2 and agent = wanted.agent and competency = wanted.competency
    offset 0
) c

-- name: evidence_of_agent
select agent, activity, chunk, facts from evidence
where tenant = $1 and catalogue = $2 and agent = $3 and ($4::bigint is null or activity = $4)
order by activity, chunk

-- name: courses_of_agent
select agent, course, state from course_progress
where tenant = $1 and catalogue = $2 and agent = $3 order by course

-- name: competencies_of_agent
select agent, competency, level, evidence, w, a, e from competency
where tenant = $1 and catalogue = $2 and agent = $3 order by competency, level, evidence

-- name: catalogue_in_force
select catalogue, digest, content from catalogue where tenant = $1 and in_force

-- name: tenants_scored
select tenant from catalogue where in_force order by tenant

-- name: number_in_force
select catalogue from catalogue where tenant = $1 and in_force

-- name: add_catalogue
insert into catalogue (tenant, catalogue, digest, content, in_force, filled)
select $1, coalesce(max(catalogue), 0) + 1, $2, $3, $4, $5::bigint from catalogue where tenant = $1
returning catalogue

-- name: activities_named
select activity, iri from activity where tenant = $1 and activity = any ($2::bigint[])

-- name: delete_evidence
delete from evidence where tenant = $1 and catalogue = $2 and agent >= $3 and agent < $4

-- name: delete_courses
delete from course_progress where tenant = $1 and catalogue = $2 and agent >= $3 and agent < $4

-- name: delete_competencies
delete from competency where tenant = $1 and catalogue = $2 and agent >= $3 and agent < $4

-- name: delete_levels
delete from standing where tenant = $1 and catalogue = $2 and agent >= $3 and agent < $4
