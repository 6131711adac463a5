"""The score stage, put together."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING

from lrs.metrics.score import ScoreMetrics
from lrs.scoring.document import DocumentError
from lrs.scoring.warming import warm
from lrs.settings import SettingsError
from lrs.store.catalogue import OtherCatalogue, ensure_catalogue
from lrs.store.credential import ROOT_TENANT
from lrs.store.name import Names
from lrs.stream.score import Score

if TYPE_CHECKING:
    import asyncpg
    import numpy as np
    from numpy.typing import NDArray

    from lrs.composition.store import Logs
    from lrs.metrics.stage import StageMetrics
    from lrs.settings import Settings


async def score(
    pool: asyncpg.Pool,
    upkeep: asyncpg.Pool,
    _logs: Logs,
    metrics: StageMetrics,
    settings: Settings,
) -> Score:
    """The stage that scores what persist tells it, by the catalogue that is set.

    Raises SettingsError when the catalogue that is set cannot be read, or another one is in force.
    """
    warm()  # what is not in the cache is compiled now, not in the first transaction
    try:
        await ensure_catalogue(upkeep, ROOT_TENANT, _catalogue(settings))
    except (DocumentError, OtherCatalogue, UnicodeDecodeError, FileNotFoundError, PermissionError) as error:
        raise SettingsError([f"LRS_CATALOGUE = {str(settings.catalogue)!r}: {error}"]) from None
    events = ScoreMetrics(metrics.registry)

    def scored(stored: NDArray[np.int64], counts: Mapping[str, int]) -> None:
        metrics.through(Score.name, stored)
        events.became(counts)

    return Score(
        pool,
        Names(upkeep),
        max_records=settings.batch_records,
        max_statements=settings.batch_statements,
        scored=scored,
    )


def _catalogue(settings: Settings) -> str:
    if settings.catalogue is not None:
        return settings.catalogue.read_text("utf-8")
    return resources.files("lrs.demo").joinpath("catalogue.yaml").read_text("utf-8")
