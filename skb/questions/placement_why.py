"""What can be explained of a placement beside its alternatives, by topic."""

from __future__ import annotations

from collections.abc import Mapping

from skb.questions.placement_reasons import further, mends
from skb.questions.placement_sensitivity import sensitivity
from skb.questions.question import Explain

TOPICS: Mapping[str, Explain] = {"reasons": further, "mends": mends, "sensitivity": sensitivity}
