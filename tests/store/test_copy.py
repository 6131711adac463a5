"""Binary COPY streams say the same as the arrays that they are made of."""

from __future__ import annotations

import uuid

import asyncpg
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrs.store.copy import Rows

ROWS = Rows(
    "copied", {"small": "int4", "large": "int8", "yes": "bool", "id": "uuid"}, tail="raw"
)  # fmt: skip
INT4, INT8 = st.integers(-(1 << 31), (1 << 31) - 1), st.integers(-(1 << 63), (1 << 63) - 1)


ROW = st.tuples(INT4, INT8, st.booleans(), st.uuids(), st.binary(max_size=300))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(ROW, max_size=20))
async def test_every_value_arrives(
    pool: asyncpg.Pool, rows: list[tuple[int, int, bool, uuid.UUID, bytes]]
) -> None:
    await pool.execute(
        "drop table if exists copied; create table copied"
        " (place serial, small int, large bigint, yes boolean, id uuid, raw bytea)"
    )
    small, large, yes, ids, raws = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 5
    stream = ROWS.encode(
        len(rows),
        {
            "small": np.array(small, np.int64),
            "large": np.array(large, np.int64),
            "yes": np.array(yes, np.bool_),
            "id": np.frombuffer(b"".join(one.bytes for one in ids), "V16"),
        },
        raws,
    )
    async with pool.acquire() as connection:
        await ROWS.copy(connection, stream)
    found = await pool.fetch("select small, large, yes, id, raw from copied order by place")
    assert [tuple(row) for row in found] == rows


async def test_one_value_may_stand_for_all_rows(pool: asyncpg.Pool) -> None:
    await pool.execute("create table constant (a int, b bigint)")
    rows = Rows("constant", {"a": "int4", "b": "int8"})
    async with pool.acquire() as connection:
        await rows.copy(connection, rows.encode(3, {"a": 7, "b": np.arange(3)}))
    assert [tuple(row) for row in await pool.fetch("select * from constant")] == [(7, 0), (7, 1), (7, 2)]
