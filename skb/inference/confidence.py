"""From a score to the probability that a partition is right.

The constants were set by hand against synthetic machines (trees of 4 to 160 PUs with noise up to
15 %, strays and blanks; meshes, tori, rings, flat and random matrices) and the real files of the
tests. Of all levels at 0.9 and above about 97 % were right; between 0.5 and 0.7 fewer than half
were, so a low value means less than it says. `tests/inference` holds the upper end to it.
"""

from __future__ import annotations

import math

from skb.inference.scoring import Score

# margins in standard errors at which a partition is as likely right as wrong, and the steepness
_EVEN_ODDS = 2.6
_STEEPNESS = 5.0
# a group whose values differ this many times more than in the others may be two tied together
_MIXED = 2.0
# standard errors by which lone units answer unlike the rest before they count as another kind
KINDS = 3.0


def confidence(found: Score) -> float:
    """Return the probability, 0 to 0.99, that the groups of a scored partition are real."""
    if found.worst <= 0 or found.evenness <= 0.1 or (found.groups == 1 and found.smallest < 4):
        return 0.0
    # what stands alone beside groups of three and more asks for an explanation
    needed = _EVEN_ODDS
    if found.smallest > 2:
        needed *= 1 + 1.5 * (1 - found.coverage)
    if found.groups == 1:
        needed *= 1.5
    if found.coverage < 0.8 and found.kinds < KINDS:
        # nothing tells those that stand alone from the rest: why have they no partner?
        needed *= 2.0
        if found.coverage < 0.6:
            return 0.0
    steep = 1 / (1 + math.pow(needed / found.worst, _STEEPNESS))
    cover = min(1.0, (found.coverage / (0.4 if found.groups > 1 else 0.5)) ** 2)
    even = min(1.0, found.evenness / 0.3)
    pure = min(1.0, _MIXED / max(found.mixed, 0.1))
    return min(0.99, pure * steep * cover * (1 - 8 * found.leaks) * even)
