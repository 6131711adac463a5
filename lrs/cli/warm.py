"""`lrs warm`: compile ahead of the first start."""

from __future__ import annotations

from importlib import import_module

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

COMPILED = ("lrs.xapi", "lrs.scoring")
"""Packages with compiled kernels; each has a `warm()` that compiles them into numba's cache."""


@click.command()
def warm() -> None:
    """Fill numba's compile cache, so that the first start is as quick as any other."""
    columns = (
        TextColumn("compile {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("", total=len(COMPILED))
        for name in COMPILED:
            progress.update(task, description=name)
            compile_kernels = getattr(import_module(name), "warm", None)
            if compile_kernels is not None:
                compile_kernels()
            progress.advance(task)
