"""Mutants: with any one rule of the validator switched off, some test fails. `python -m tests.mutants`.

Each mutant is the tree, copied to a temporary place, with one rule switched off where the rules are
listed; the tests of the specification's clauses run against it and must fail. A mutant that survives is
a rule that nothing holds.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lrs.xapi.rules import Rule
from tests.conformance.statement_refused import REFUSED

ROOT = Path(__file__).parent.parent
COPIED = ("lrs", "tests", "pyproject.toml")
SWITCHES = Path("lrs/xapi/scan.py")
"""Where all rules are switched on."""

SUITE = "tests/conformance/test_statement.py"
LONGEST = 180.0
"""Seconds that a run of the suite may take."""

RULES = sorted({row.rule for row in REFUSED})


@contextmanager
def copy() -> Iterator[Path]:
    """A copy of the tree, which goes at the end."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        place = Path(directory)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, place / name)
            else:
                shutil.copy(source, place / name)
        yield place


@contextmanager
def without(place: Path, rule: Rule) -> Iterator[None]:
    """The copy with a rule switched off."""
    file = place / SWITCHES
    original = file.read_text("utf-8")
    file.write_text(f"{original}\nALL_RULES[{int(rule)}] = 0\n", "utf-8")
    try:
        yield
    finally:
        file.write_text(original, "utf-8")


def passes(place: Path) -> bool:
    """Whether the suite passes on the copy. Raises RuntimeError when it did not run at all."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", SUITE]
    run = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=LONGEST, check=False)
    if run.returncode not in (0, 1):
        raise RuntimeError(f"the tests did not run:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return run.returncode == 0


def survivors(rules: Sequence[Rule]) -> Iterator[tuple[Rule, bool, float]]:
    """Each rule, whether its mutant survived, and how long that took in seconds. Raises RuntimeError when
    the suite does not pass on the tree as it is."""
    with copy() as place:
        if not passes(place):
            raise RuntimeError("the tests fail without any mutation")
        for rule in rules:
            started = time.perf_counter()
            with without(place, rule):
                survived = passes(place)
            yield rule, survived, time.perf_counter() - started


def main() -> int:
    """Try mutants until the time is up; 1 when one survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--rules", type=int, default=len(RULES), help="how many, drawn at random")
    parser.add_argument("--seconds", type=float, default=900, help="no mutant is begun after these")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    drawn = random.Random(arguments.seed).sample(RULES, min(arguments.rules, len(RULES)))
    began, tried, survived = time.perf_counter(), 0, 0
    for rule, lives, seconds in survivors(drawn):
        tried, survived = tried + 1, survived + lives
        print(f"{rule.name:24} {'SURVIVED' if lives else 'killed':10} {seconds:5.1f} s", flush=True)
        if time.perf_counter() - began > arguments.seconds:
            break
    print(f"{tried} of {len(RULES)} rules switched off, one at a time; {survived} survived")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
