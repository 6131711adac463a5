"""Processes that a run started are stopped when it ends."""

from __future__ import annotations

import signal
import subprocess


def stop(process: subprocess.Popen[bytes], number: signal.Signals, within: float) -> None:
    """Ask a process to stop, by a signal; kill it when it did not within so many seconds."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
