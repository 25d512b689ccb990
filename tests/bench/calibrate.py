"""Fit the map from the raw judgement of a level to the share that is right, or check that map.

Levels of machines drawn at random (`tests/inference/population.py`) are judged; the shares right
are made monotone by pooling neighbours (isotonic regression, Ayer et al. 1955). What is printed,
rounded, are the constants of `skb/inference/confidence.py`. `--check` counts the shares by band of
what users see.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np

from skb.inference.confidence import calibrated
from skb.inference.levels import search
from skb.inference.preparation import prepare
from tests.inference.population import draw
from tests.inference.synthetic import partition

_BANDS = (0.0, 0.3, 0.5, 0.7, 0.9, 0.97, 1.0)


def judged(machines: int, seed: int) -> list[tuple[float, bool]]:
    """Return the raw confidence of each level found, and whether it is right."""
    random = np.random.default_rng(seed)
    found = []
    for _machine in range(machines):
        one = draw(random)
        ready = prepare(one.matrix)
        known = [i for i in range(len(ready.values)) if i not in ready.alone]
        for level in search(ready.values[np.ix_(known, known)]):
            # PUs without a value stand alone, as the user is told
            labels = np.arange(len(one.matrix)) + len(one.matrix)
            labels[known] = level.labels
            found.append((level.confidence, partition(labels) in one.truth))
    return found


def pooled(found: Sequence[tuple[float, bool]], least: int = 20) -> list[tuple[float, float]]:
    """Return (raw, share right) of the pooled blocks, each of at least so many levels."""
    blocks: list[list[float]] = []
    for raw, alike in groupby(sorted(found), key=itemgetter(0)):
        rights = [right for _raw, right in alike]
        blocks.append([len(rights), raw * len(rights), sum(rights)])
        while len(blocks) > 1 and (
            blocks[-2][0] < least or blocks[-2][2] / blocks[-2][0] >= blocks[-1][2] / blocks[-1][0]
        ):
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    return [(raw / count, right / count) for count, raw, right in blocks]


def main() -> None:
    """Print the knots, or with `--check` the shares right by band of calibrated confidence."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--machines", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    found = judged(options.machines, options.seed)
    if not options.check:
        for raw, share in pooled(found):
            print(f"{raw:.3f} {share:.3f}")
        return
    stated = np.array([calibrated(raw) for raw, _right in found])
    right = np.array([right for _raw, right in found])
    for low, high in pairwise(_BANDS):
        band = (stated >= low) & (stated < high)
        if band.any():
            mean, share = stated[band].mean(), right[band].mean()
            print(
                f"{low:.2f}-{high:.2f}: {band.sum()} levels, stated {mean:.3f}, right {share:.3f}"
            )


if __name__ == "__main__":
    main()
