"""`lrs edge` and `lrs worker`: one process each."""

from __future__ import annotations

import functools

import click

from lrs.cli import settings as settings_of
from lrs.metrics.stage import INTAKE, STAGES
from lrs.process import exit_on_error, run

announce = click.option(
    "--announce", type=int, hidden=True, help="Descriptor for the line that tells the metrics port."
)


@click.command()
@click.option("--host", help="Address to listen on (LRS_HTTP_HOST).")
@click.option("--port", type=int, help="Port to listen on (LRS_HTTP_PORT).")
@announce
@click.pass_context
def edge(ctx: click.Context, host: str | None, port: int | None, announce: int | None) -> None:
    """Run one edge: HTTP in front of log and store."""
    from lrs.composition import edge as edge_of

    settings = settings_of(ctx, http_host=host, http_port=port)
    checks, metrics_port = edge_of.CHECKS, settings.edge_metrics_port
    exit_on_error(lambda: run(edge_of.edge, settings, "edge", checks, metrics_port, announce))


@click.command()
@click.option("--stages", default=",".join(STAGES), show_default=True, help="Stages to run, by commas.")
@click.option("--replica", default=0, show_default=True, help="Number among those of its stages here.")
@announce
@click.pass_context
def worker(ctx: click.Context, stages: str, replica: int, announce: int | None) -> None:
    """Run one worker: persist, score, or both."""
    from lrs.composition import worker as worker_of

    settings = settings_of(ctx)
    names = tuple(dict.fromkeys(stages.split(",")))
    there = (*STAGES, INTAKE)
    unknown = [name for name in names if name not in there]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}: there are {', '.join(there)}", param_hint="--stages")
    ports = {"persist": settings.persist_metrics_port, "score": settings.score_metrics_port}
    port = next((ports[name] for name in ports if name in names), 0)
    body = functools.partial(worker_of.worker, makers=worker_of.makers(names), replica=replica)
    checks = worker_of.checks(names)
    exit_on_error(
        lambda: run(body, settings, "+".join(names), checks, port + replica if port else 0, announce)
    )
