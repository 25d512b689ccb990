"""The specification of the dynamic programme as an answer-set program, solved by clingo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skb.decision import Limits
from skb.engines.asp import Atom, Model, Program
from skb.engines.replicas_tree import Tree

FILES = tuple(f"replicas/{name}.lp" for name in ("define", "guess", "check", "optimise"))


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be chosen from a tree: whole prices (None: may not be), and the limits."""

    tree: Tree
    prices: Sequence[int | None]
    must: Sequence[int] = ()
    caps: Mapping[int, int] = field(default_factory=dict)
    least: int = 1
    most: int | None = None


def program(choice: Choice) -> Program:
    """Return the program of a choice; prices beyond 31 bits are refused when it is solved."""
    tree = choice.tree
    atoms: list[Atom] = [("least", (choice.least,))]
    if choice.most is not None:
        atoms.append(("most", (choice.most,)))
    for node in range(tree.size):
        price = choice.prices[node]
        if price is not None:
            atoms.append(("price", (node, price)))
        around = (node, *tree.above(node))
        atoms += [("inside", (node, above)) for above in around if above in choice.caps]
        if not tree.children[node]:
            atoms.append(("leaf", (node,)))
            atoms += [("within", (node, above)) for above in around]
    atoms += [("must", (node,)) for node in choice.must]
    atoms += [("cap", pair) for pair in choice.caps.items()]
    return Program(FILES, tuple(atoms))


def optimum(choice: Choice, limits: Limits | None = None) -> tuple[int | None, tuple[int, ...]]:
    """Return the least sum and the parts, or None where there is no choice.

    Raises `LimitError` where the limit came before the proof.
    """
    found = Model(program(choice)).solve(limits=limits or Limits())
    if found.satisfiable is False:
        return None, ()
    if not found.proven:
        from skb.errors import LimitError

        raise LimitError("the limit came before the best choice was proven", mend="raise --limit")
    nodes = tuple(sorted(int(str(args[0])) for name, args in found.atoms if name == "domain"))
    return (found.cost[0] if found.cost else 0), nodes
