"""The learners of the demonstration: names in English and Hindi, roles, abilities; from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final

HOME_PAGE: Final = "https://lrs.example.org"
ACCOUNT: Final = "GOV-{:08d}"
"""Account names have one width, so that a load test can put another number in their place."""

_GIVEN: Final = (
    ("Aarav", "आरव"), ("Aditi", "अदिति"), ("Amit", "अमित"), ("Anjali", "अंजलि"), ("Arjun", "अर्जुन"),
    ("Asha", "आशा"), ("Deepak", "दीपक"), ("Divya", "दिव्या"), ("Farhan", "फ़रहान"), ("Gauri", "गौरी"),
    ("Harpreet", "हरप्रीत"), ("Ishaan", "ईशान"), ("Jyoti", "ज्योति"), ("Kavita", "कविता"), ("Kiran", "किरण"),
    ("Lakshmi", "लक्ष्मी"), ("Manoj", "मनोज"), ("Meera", "मीरा"), ("Nasreen", "नसरीन"), ("Neha", "नेहा"),
    ("Pooja", "पूजा"), ("Rahul", "राहुल"), ("Rekha", "रेखा"), ("Rohan", "रोहन"), ("Sanjay", "संजय"),
    ("Sunita", "सुनीता"), ("Suresh", "सुरेश"), ("Thomas", "थॉमस"), ("Usha", "उषा"), ("Vikram", "विक्रम"),
)  # fmt: skip
_FAMILY: Final = (
    ("Ahmed", "अहमद"), ("Banerjee", "बनर्जी"), ("Choudhary", "चौधरी"), ("Das", "दास"), ("Deshmukh", "देशमुख"),
    ("Fernandes", "फ़र्नांडिस"), ("Gupta", "गुप्ता"), ("Iyer", "अय्यर"), ("Joshi", "जोशी"), ("Khan", "ख़ान"),
    ("Kumar", "कुमार"), ("Menon", "मेनन"), ("Mishra", "मिश्रा"), ("Nair", "नायर"), ("Patel", "पटेल"),
    ("Rao", "राव"), ("Reddy", "रेड्डी"), ("Sharma", "शर्मा"), ("Singh", "सिंह"), ("Verma", "वर्मा"),
    ("Yadav", "यादव"),
)  # fmt: skip
_PLATFORMS: Final = {"Android": 45, "Web": 45, "iOS": 10}
_HINDI_SHARE: Final = 0.45


@dataclass(frozen=True)
class Learner:
    """A learner. `language`: en or hi; `ability` and `patience` from 0 to 1."""

    number: int
    name: str
    language: str
    platform: str
    ability: float
    patience: float

    @property
    def agent(self) -> dict[str, Any]:
        """The learner as an xAPI Agent, without the name."""
        return {
            "objectType": "Agent",
            "account": {"homePage": HOME_PAGE, "name": ACCOUNT.format(self.number)},
        }

    @property
    def actor(self) -> dict[str, Any]:
        """The learner as the actor of a statement."""
        return {**self.agent, "name": self.name}


def learner(number: int) -> Learner:
    """The learner of a number: the same person whatever the seed of a run is."""
    rng = Random(f"learner {number}")
    hindi = rng.random() < _HINDI_SHARE
    given, family = rng.choice(_GIVEN), rng.choice(_FAMILY)
    return Learner(
        number,
        f"{given[hindi]} {family[hindi]}",
        "hi" if hindi else "en",
        rng.choices(tuple(_PLATFORMS), tuple(_PLATFORMS.values()))[0],
        rng.betavariate(5, 3),
        rng.betavariate(4, 2),
    )
