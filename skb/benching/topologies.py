"""Named interconnects as native descriptions: rings, ladders, grids, tori, random graphs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from math import prod

from skb.errors import RequestError

Edge = tuple[int, int]
# the board of the 2009 multikernel paper, without the rung 2-5 that one encoding of it has
BOARD: tuple[Edge, ...] = (
    *((0, 1), (0, 7), (1, 2), (1, 6), (2, 3), (2, 4)),
    *((3, 4), (3, 5), (4, 5), (5, 6), (6, 7)),
)


def topology(name: str, seed: int = 1) -> tuple[int, tuple[Edge, ...]]:
    """Return the number of nodes and the two-way links of an interconnect by name.

    Names are `board`, `board12`, `ladder`, `twisted-ladder`, `square`, `ring6`, `full4`,
    `mesh4x4`, `torus4x4`, `hypercube3` and `regular4x16` (degree x nodes, drawn from the seed),
    with any numbers. Raises `RequestError` for another name.
    """
    fixed: dict[str, tuple[Edge, ...]] = {
        "board": BOARD,
        "board12": (*BOARD, (2, 5)),
        "twisted-ladder": tuple(edge for edge in BOARD if edge != (3, 4)),
    }
    if name in fixed:
        return 8, fixed[name]
    named = {"ladder": "mesh4x2", "square": "mesh2x2"}.get(name, name)
    shape = re.fullmatch(r"(mesh|torus|ring|full|hypercube|regular)(\d{1,4}(?:x\d{1,4})*)", named)
    if shape is None:
        raise RequestError(
            f"there is no interconnect {name!r}", mend="board, ladder, torus4x4, regular4x16, …"
        )
    kind, sizes = shape[1], [int(number) for number in shape[2].split("x")]
    if kind == "regular":
        import networkx

        graph = networkx.random_regular_graph(sizes[0], sizes[-1], seed=seed)
        return sizes[-1], tuple(sorted((min(a, b), max(a, b)) for a, b in graph.edges))
    if kind == "full":
        return sizes[0], tuple((a, b) for a in range(sizes[0]) for b in range(a + 1, sizes[0]))
    if kind == "hypercube":
        kind, sizes = "mesh", [2] * sizes[0]
    return prod(sizes), tuple(sorted(_grid(sizes, wrapped=kind in {"torus", "ring"})))


def _grid(sizes: list[int], wrapped: bool) -> Iterable[Edge]:
    places = list(product(*(range(size) for size in sizes)))
    number = {place: at for at, place in enumerate(places)}
    found = set()
    for place in places:
        for axis, size in enumerate(sizes):
            step = place[axis] + 1
            if step < size or (wrapped and size > 2):
                other = (*place[:axis], step % size, *place[axis + 1 :])
                ends = sorted((number[place], number[other]))
                found.add((ends[0], ends[1]))
    return found


def native(name: str, size: int, edges: Iterable[Edge]) -> str:
    """Return a native description of packages of one PU that two-way links join."""
    parts = [
        f'[machine]\nname = "{name}"\n\n[structure]\ntree = "package:{size} numa:1 core:1 pu:1"\n'
    ]
    parts += [
        f'\n[[link]]\nfrom = "package:{a}"\nto = "package:{b}"\nkind = "link"\n' for a, b in edges
    ]
    return "".join(parts)
