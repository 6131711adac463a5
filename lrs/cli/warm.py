"""`lrs warm`: compile ahead of the first start."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def _warm_xapi() -> None:
    """These kernels are compiled when they are imported."""
    package = import_module("lrs.xapi.kernel")
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        import_module(module.name)


def _warm_scoring() -> None:
    import_module("lrs.scoring.warming").warm()


COMPILED: dict[str, Callable[[], None]] = {"lrs.xapi": _warm_xapi, "lrs.scoring": _warm_scoring}
"""Packages with compiled kernels, and what compiles them into numba's cache."""


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
        for name, compile_kernels in COMPILED.items():
            progress.update(task, description=name)
            compile_kernels()
            progress.advance(task)
