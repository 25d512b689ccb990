"""From a score to the probability that a partition is right, in two steps.

`confidence` judges a score; its constants were set by hand and only order levels by how sure they
are: the search compares these raw numbers. `calibrated` says how many of the levels that were
judged so are right, over machines drawn at random: trees of 4 to 160 PUs with unequal nodes, cores
switched off, noise up to 15 %, strays, blanks, coarse timers and slow PUs; meshes, rings, flat and
disordered matrices (`tests/inference/population.py`). `tests/bench/calibrate.py` fits that map and
checks it. Right means every group of the level and no other.
"""

from __future__ import annotations

import math

import numpy as np

from skb.inference.scoring import Score

# margins in standard errors at which a partition is as likely right as wrong, and the steepness
_EVEN_ODDS = 2.6
_STEEPNESS = 5.0
# raw confidence and the share right, as tests/bench/calibrate.py fits them
_RAW = (0.0, 0.55, 0.74, 0.80, 0.88, 0.93, 0.97, 0.99)
_SHARE = (0.0, 0.45, 0.48, 0.62, 0.85, 0.92, 0.97, 0.99)
# a group whose values differ this many times more than in the others may be two tied together
_MIXED = 2.0
# standard errors by which lone units answer unlike the rest before they count as another kind
KINDS = 3.0


def calibrated(raw: float) -> float:
    """Return the share of levels with such a raw confidence that are right, as users see it."""
    return float(np.interp(raw, _RAW, _SHARE))


def confidence(found: Score) -> float:
    """Return the probability, 0 to 0.99, that the groups of a scored partition are real."""
    if found.worst <= 0 or found.evenness <= 0.1 or (found.groups == 1 and found.smallest < 4):
        return 0.0
    # what stands alone beside groups of three and more asks for an explanation
    needed = _EVEN_ODDS
    if found.largest > 2:
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
