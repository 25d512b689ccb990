"""Small finite choices, enumerated by python-constraint: alternatives for prices and "why not".

For a handful of variables: the nodes of one flow, the PUs of one queue. Optimisation is clingo's
work.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

from constraint import Problem

Rule = tuple[Callable[..., bool], Sequence[str]]


def choices(
    domains: Mapping[str, Sequence[Hashable]], rules: Sequence[Rule] = ()
) -> Iterator[dict[str, Hashable]]:
    """Yield every assignment of the variables that all rules allow.

    A rule is a predicate and the variables whose values it takes, in this order. A variable with an
    empty domain has no assignment.
    """
    if not domains or not all(domains.values()):
        return
    problem = Problem()
    for variable, values in domains.items():
        problem.addVariable(variable, list(values))
    for predicate, variables in rules:
        problem.addConstraint(predicate, list(variables))
    yield from problem.getSolutionIter()
