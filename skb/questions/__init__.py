"""The questions and their registry.

Adding one is a module here, its rules, a checker and a test folder.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

from skb.errors import NotFoundError
from skb.questions.question import Question

NAMES = ("placement", "route", "buffers", "schedule", "query", "offers")


def question(name: str) -> Question:
    """Return a question by name; raise `NotFoundError` that lists the known ones."""
    if name not in NAMES:
        near = get_close_matches(name, NAMES, n=1)
        mend = f"did you mean {near[0]}?" if near else f"known are: {', '.join(NAMES)}"
        raise NotFoundError(f"there is no question {name!r}", mend=mend)
    found: Question = import_module(f"skb.questions.{name}").QUESTION
    return found
