"""How long it takes to read a statement: `python benchmarks/xapi_read.py`.

cmi5 statements of about 1 KB, in batches of 50 and alone; repeated, as real senders repeat definitions and
actors, and the worst case, where nothing is repeated. Beside each the time of the kernels alone, and that
in which msgspec decodes the same bytes without looking at them, in turns in the same run. The figures are
the best of many short turns: what the machine can do when nobody else has it.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from lrs.xapi.kernel import reading
from lrs.xapi.reader import read_statements
from lrs.xapi.scan import scan
from lrs.xapi.version import Version

BATCH = 50
ROUNDS = 150
SECONDS = 0.004


def statement(rng: random.Random, unique: bool) -> dict[str, Any]:
    """A cmi5 statement; unique ones share no activity, text or agent with any other."""
    salt = f"{rng.getrandbits(48):012x}" if unique else "000000000000"
    course = f"https://karmayogi.example.org/course/{salt if unique else rng.randrange(5)}"
    learner = f"{rng.getrandbits(40):010x}"
    return {
        "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "actor": {
            "objectType": "Agent",
            "account": {"homePage": "https://karmayogi.example.org", "name": learner},
        },
        "verb": {
            "id": "http://adlnet.gov/expapi/verbs/completed",
            "display": {"en": f"completed {salt}" if unique else "completed", "hi": "पूरा किया"},
        },
        "object": {
            "objectType": "Activity",
            "id": f"{course}/module/{rng.randrange(6)}",
            "definition": {
                "type": "http://adlnet.gov/expapi/activities/lesson",
                "name": {"en-IN": f"Noting and drafting {salt}", "hi-IN": "टिप्पण और प्रारूपण"},
                "description": {"en-IN": "How a note is written, and what becomes of it."},
            },
        },
        "result": {"completion": True, "success": True, "score": {"scaled": 0.85}, "duration": "PT21M4.21S"},
        "context": {
            "registration": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "contextActivities": {
                "parent": [{"objectType": "Activity", "id": course}],
                "grouping": [{"objectType": "Activity", "id": f"{course}/au/1"}],
                "category": [
                    {"objectType": "Activity", "id": "https://w3id.org/xapi/cmi5/context/categories/cmi5"}
                ],
            },
            "extensions": {
                "https://w3id.org/xapi/cmi5/context/extensions/sessionid": f"{salt}-{rng.getrandbits(32)}"
            },
        },
        "timestamp": "2024-03-01T12:00:00.123Z",
    }


def per_call(run: Callable[[], object]) -> float:
    """Seconds of one call, averaged over SECONDS."""
    calls = 0
    start = time.perf_counter()
    while True:
        run()
        calls += 1
        elapsed = time.perf_counter() - start
        if elapsed > SECONDS:
            return elapsed / calls


def main() -> None:
    rng = random.Random(5)
    print(f"{'':32}{'us a statement':>16}{'statements/s':>14}{'kernels':>10}{'msgspec':>10}{'ratio':>8}")
    for name, unique, size in (
        *(("batches of 50, repeating", False, BATCH), ("batches of 50, nothing repeated", True, BATCH)),
        *(("single, repeating", False, 1), ("single, nothing repeated", True, 1)),
    ):
        values = [statement(rng, unique) for _ in range(size)]
        body = json.dumps(
            values if size > 1 else values[0], ensure_ascii=False, separators=(",", ":")
        ).encode()
        figures: list[tuple[float, float, float]] = []
        for _ in range(ROUNDS):
            figures.append(
                (
                    per_call(lambda body=body: read_statements(body, Version.V1_0_3)),  # type: ignore[misc]
                    per_call(lambda body=body: scan(body, reading.STATEMENT, Version.V1_0_3, 10_000)),  # type: ignore[misc]
                    per_call(lambda body=body: msgspec.json.decode(body)),  # type: ignore[misc]
                )
            )
        ours, kernels, decode = (min(column) / size * 1e6 for column in zip(*figures, strict=True))
        line = f"{name:32}{ours:16.2f}{1e6 / ours:14,.0f}{kernels:10.2f}{decode:10.2f}{ours / decode:8.2f}"
        print(f"{line}{len(body) // size:8} B")


if __name__ == "__main__":
    main()
