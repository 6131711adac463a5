"""Published figures beside what the simulated population gives, each with numerator and denominator."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources

from simulator.arrivals import sums
from simulator.scenario import load


@dataclass(frozen=True, slots=True)
class Marginal:
    """A ratio as it was published and as it was simulated."""

    scenario: str
    name: str
    numerator: str
    denominator: str
    published: float
    simulated: float
    fitted: bool
    source: str

    @property
    def tolerance(self) -> float:
        """What is allowed: less for a figure that a parameter was chosen for than for one that follows."""
        return 0.02 if self.fitted else 0.05

    @property
    def error(self) -> float:
        return self.simulated / self.published - 1.0


def marginals(seed: int = 1, learners: int = 200_000, shards: int = 1) -> list[Marginal]:
    """Simulate the whole period of each scenario that has published figures, for so many of its learners."""
    text = (resources.files("simulator") / "marginals.toml").read_text(encoding="utf-8")
    counted: dict[str, dict[str, float]] = {}
    found = []
    for entry in tomllib.loads(text)["marginal"]:
        name = entry["scenario"]
        if name not in counted:
            scenario = load([name])
            thin = max(1, scenario.population.learners // learners)
            total = sums(scenario, seed, thin=thin, shards=shards)
            counted[name] = {
                **total._asdict(),
                "hours": total.learning_ms / 3_600_000,
                "learners": scenario.population.learners // thin,
            }
        top, bottom = entry["published"]
        found.append(
            Marginal(
                name,
                entry["name"],
                entry["numerator"],
                entry["denominator"],
                top / bottom,
                counted[name][entry["numerator"]] / counted[name][entry["denominator"]],
                entry["fitted"],
                entry["source"],
            )
        )
    return found
