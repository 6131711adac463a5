"""Room on the store's disk: below a floor, writes are refused while reads go on."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Disk:
    """What is free where the store lies; `path` None: the store is elsewhere, and nothing is known."""

    def __init__(self, path: Path | None, floor: int) -> None:
        self._path, self._floor = path, floor
        self.low = False
        self.look()

    def free(self) -> float:
        """Free bytes; infinite when the store is elsewhere."""
        return float("inf") if self._path is None else float(shutil.disk_usage(self._path).free)

    def look(self) -> None:
        """Look again whether it is low."""
        self.low = self.free() < self._floor
