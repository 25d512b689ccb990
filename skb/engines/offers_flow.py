"""Seats of services for clients whose choices do not depend on each other, as a cheapest flow.

Network simplex (Ahuja, Magnanti, Orlin, *Network Flows*, chapter 11) in networkx, over whole
numbers of any size: its optimum is a proof, where clingo would count pigeons for ever.
"""

from __future__ import annotations

from collections.abc import Mapping


def cheapest(
    takes: Mapping[str, int], seats: Mapping[str, int | None], prices: Mapping[tuple[str, str], int]
) -> dict[str, list[str]] | None:
    """Return the services of each client, so that the sum of the prices is least.

    `takes` is how many services a client takes, `seats` how many clients a service takes (None is
    no limit), `prices` the pairs that suit each other. None where no assignment exists.
    """
    import networkx

    graph = networkx.DiGraph()
    graph.add_node(("end", ""), demand=sum(takes.values()))
    for client, count in takes.items():
        graph.add_node(("client", client), demand=-count)
    for service, limit in seats.items():
        room = len(takes) if limit is None else limit
        graph.add_edge(("service", service), ("end", ""), capacity=room, weight=0)
    for (client, service), price in prices.items():
        graph.add_edge(("client", client), ("service", service), capacity=1, weight=price)
    try:
        _, flow = networkx.network_simplex(graph)
    except networkx.NetworkXUnfeasible:
        return None
    return {
        client: sorted(name for (_, name), used in flow["client", client].items() if used)
        for client in takes
    }
