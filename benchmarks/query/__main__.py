"""See `benchmarks.query`.

Latency is that of the store: from the query to its rows in this process. Beside it stands, from the
same run, that of one row by its primary key, the least that any question could take.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import msgspec
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.log_append import embedded
from benchmarks.path.report import environment
from benchmarks.query.crowd import Crowd
from benchmarks.query.fill import fill
from benchmarks.query.question import Question, questions
from lrs.store.migration import migrate

SEED = 20_240_101

SIZES = """
with recursive up (child, parent) as (
    select oid, oid from pg_class where relkind in ('r', 'p')
    union all
    select up.child, i.inhparent from up join pg_inherits i on i.inhrelid = up.parent
)
select parent.relname as table, sum(pg_table_size(child))::bigint as data,
    sum(pg_indexes_size(child))::bigint as indexes
from up join pg_class parent on parent.oid = up.parent
where parent.relnamespace = 'public'::regnamespace
    and parent.relname in ('statement', 'posting', 'known_id', 'agent', 'activity', 'statement_digest')
    and not exists (select from pg_inherits i where i.inhrelid = up.parent)
group by 1 order by 1
"""


@dataclass(frozen=True)
class Measured:
    """One question's latencies in seconds, how many statements came at the median, and one plan."""

    name: str
    seconds: np.ndarray[Any, Any]
    rows: int
    plan: Any

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        return float(np.percentile(self.seconds, share)) * 1000

    def record(self, yardstick: float) -> dict[str, Any]:
        """As JSON."""
        return {
            "question": self.name,
            "asked": len(self.seconds),
            "statements": self.rows,
            **{f"p{share}_ms": round(self.percentile(share), 3) for share in (50, 95, 99)},
            "p50_over_primary_key": round(self.percentile(50) / yardstick, 1),
            "plan": self.plan,
        }


async def measure(pool: asyncpg.Pool, question: Question, times: int) -> Measured:
    """Ask so many times, one after the other."""
    seconds, rows = np.empty(times), np.empty(times, np.int64)
    for place in range(-3, times):
        drawn = await question.draw()
        started = time.perf_counter()
        found = await question.ask(pool, drawn)
        if place >= 0:
            seconds[place], rows[place] = time.perf_counter() - started, found
    text, arguments = await question.sql(pool, await question.draw())
    plan = await pool.fetchval(f"explain (analyze, buffers, format json) {text}", *arguments)
    return Measured(question.name, seconds, int(np.median(rows)), msgspec.json.decode(plan))


async def yardstick(pool: asyncpg.Pool, rng: Random, times: int) -> float:
    """Median milliseconds of one row by its primary key."""
    poss = await pool.fetch("select pos from statement order by pos limit 1000")
    seconds = []
    for _ in range(times):
        pos = rng.choice(poss)["pos"]
        started = time.perf_counter()
        await pool.fetchrow("select raw from statement where tenant = 1 and pos = $1", pos)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds)) * 1000


async def benchmark(url: str, statements: int, times: int, console: Console) -> dict[str, Any]:
    """Fill the store, ask everything, print the figures; the report."""
    rng, crowd = Random(SEED), Crowd(statements)
    options = {"jit": "off", "synchronous_commit": "off"}
    async with asyncpg.create_pool(url, min_size=2, max_size=6, server_settings=options) as pool:
        async with pool.acquire() as connection:
            await migrate(connection)
            version = await connection.fetchval("show server_version")
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("filling", total=statements)
            ids, rate = await fill(pool, crowd, rng, lambda done: bar.update(task, completed=done))
        console.print(f"{statements:,} statements stored, {rate:,.0f}/s")
        key = await yardstick(pool, rng, times)
        measured = []
        for question in await questions(pool, crowd, rng, ids):
            measured.append(await measure(pool, question, times))
        sizes = {row["table"]: dict(row) for row in await pool.fetch(SIZES)}
    console.print(_latencies(measured, key))
    console.print(_sizes(sizes, statements))
    total = sum(one["data"] + one["indexes"] for one in sizes.values())
    return {
        "environment": environment(f"PostgreSQL {version}", "", {}),
        "statements": statements,
        "filled_per_second": round(rate),
        "primary_key_p50_ms": round(key, 3),
        "questions": [one.record(key) for one in measured],
        "bytes_per_statement": round(total / statements),
        "sizes": sizes,
    }


def _latencies(measured: list[Measured], key: float) -> Table:
    table = Table(title=f"Milliseconds; one row by its primary key: {key:.2f}", title_justify="left")
    for heading in ("question", "statements", "p50", "p95", "p99", "p50 / primary key"):
        table.add_column(heading, justify="left" if heading == "question" else "right")
    for one in measured:
        times = (f"{one.percentile(share):.2f}" for share in (50, 95, 99))
        table.add_row(one.name, str(one.rows), *times, f"{one.percentile(50) / key:.1f}")
    return table


def _sizes(sizes: Mapping[str, Mapping[str, Any]], statements: int) -> Table:
    table = Table(title="Bytes per statement", title_justify="left")
    for heading in ("table", "data", "indexes"):
        table.add_column(heading, justify="left" if heading == "table" else "right")
    for name, one in sizes.items():
        table.add_row(name, *(f"{one[part] / statements:.1f}" for part in ("data", "indexes")))
    return table


async def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.query", description=__doc__)
    parser.add_argument("--statements", type=int, default=2_000_000)
    parser.add_argument("--times", type=int, default=300, help="how often each question is asked")
    parser.add_argument("--postgres", help="URL of a server with an empty database")
    parser.add_argument("--report", type=Path, default=Path("reports/query.json"))
    arguments = parser.parse_args()
    console = Console()
    if arguments.postgres:
        report = await benchmark(arguments.postgres, arguments.statements, arguments.times, console)
    else:
        async with embedded() as (url, _):
            report = await benchmark(url, arguments.statements, arguments.times, console)
    arguments.report.parent.mkdir(parents=True, exist_ok=True)
    arguments.report.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    console.print(f"report with all plans: {arguments.report}")


if __name__ == "__main__":
    asyncio.run(main())
