"""`simulator emit`: the statements themselves."""

from __future__ import annotations

import json
from pathlib import Path

import click

from simulator.cli.command import bars, errors, settings_option
from simulator.emission import Emission, emit_http, emit_kafka, emit_ndjson
from simulator.scenario import load


@click.command("emit")
@click.argument("scenarios", nargs=-1, required=True)
@settings_option
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--limit", type=click.IntRange(1), default=None, help="So many statements at most.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="NDJSON goes here, not to stdout.")
@click.option("--url", default=None, help="Post to this xAPI endpoint, such as http://127.0.0.1:8080/xapi.")
@click.option("--auth", default=None, metavar="KEY:SECRET", help="Basic credentials for --url.")
@click.option("--to", default=None, help="Produce to an intake's topic on kafka://host:port.")
@click.option("--topic", default="xapi.inbox", show_default=True, help="That topic.")
@click.option(
    "--speed",
    type=click.FloatRange(0),
    default=0.0,
    help="Times the scenario's own pace; 0: as fast as possible.",
)
@click.option("--connections", type=click.IntRange(1, 256), default=8, show_default=True)
def emit_command(
    scenarios: tuple[str, ...],
    settings: tuple[str, ...],
    seed: int,
    limit: int | None,
    out: Path | None,
    url: str | None,
    auth: str | None,
    to: str | None,
    topic: str,
    speed: float,
    connections: int,
) -> None:
    """Write the statements of SCENARIOS' window, in the order and in the requests in which clients send
    them.
    """
    with errors():
        if sum(where is not None for where in (out, url, to)) > 1:
            raise click.UsageError("--out, --url and --to exclude each other")
        emission = Emission(load(scenarios, settings), seed, limit)
        with bars() as tell:
            if to is not None:
                done = emit_kafka(emission, to, topic, speed, tell)
            elif url is not None:
                done = emit_http(emission, url, auth, speed, connections, tell)
            else:
                done = emit_ndjson(emission, out, speed, tell)
    click.echo(json.dumps(done), err=True)
    if done["failed_statements"]:
        raise SystemExit(1)
