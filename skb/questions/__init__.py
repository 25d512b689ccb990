"""The questions and their registry.

Adding one is a module here, its rules, a checker and a test folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module

from skb.errors import NotFoundError
from skb.questions.question import Explain, Question

NAMES = (
    *("placement", "route", "buffers", "schedule", "query", "offers", "links", "replicas", "power"),
    "interrupts",
    "pci",
)


def question(name: str) -> Question:
    """Return a question by name; raise `NotFoundError` that lists the known ones."""
    if name not in NAMES:
        near = get_close_matches(name, NAMES, n=1)
        mend = f"did you mean {near[0]}?" if near else f"known are: {', '.join(NAMES)}"
        raise NotFoundError(f"there is no question {name!r}", mend=mend)
    found: Question = import_module(f"skb.questions.{name}").QUESTION
    return found


def explanations(name: str) -> Mapping[str, Explain]:
    """Return what a question can explain of its decisions beside its alternatives, by topic."""
    if question(name).name != "placement":
        return {}
    found: Mapping[str, Explain] = import_module("skb.questions.placement_why").TOPICS
    return found
