"""`lrs ready`: whether a process of this machine can do its work, for whoever watches over containers."""

from __future__ import annotations

import http.client
import json

import click

PATIENCE = 4.0
"""Seconds after which a process that says nothing is not ready."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where its metrics port listens.")
@click.option("--port", type=click.IntRange(1, 65535), required=True, help="Its metrics port.")
def ready(host: str, port: int) -> None:
    """Ask a process whether it is ready; what is not in order is told, with status 1."""
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        checks = json.loads(answer.read())["checks"]
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        raise click.ClickException(f"nobody answers at {host}:{port}: {error}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise click.ClickException("; ".join(f"{name}: {why}" for name, why in checks.items() if why != "ok"))
    click.echo("ready")
