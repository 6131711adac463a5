"""The command line: `simulator run`, `sweep`, `compare`, `emit`, and what shows the simulator's own
soundness.
"""

from __future__ import annotations

import click

from simulator.cli.emit import emit_command
from simulator.cli.prediction import compare_command, run_command, sweep_command
from simulator.cli.reality import calibrate_command, validate_command
from simulator.cli.soundness import marginals_command, scenarios_command, theory_command, warm_command


@click.group(context_settings={"max_content_width": 110})
def main() -> None:
    """Two crore learners and the record store that serves them, simulated."""


for command in (
    run_command,
    sweep_command,
    compare_command,
    calibrate_command,
    validate_command,
    emit_command,
    scenarios_command,
    marginals_command,
    theory_command,
    warm_command,
):
    main.add_command(command)
