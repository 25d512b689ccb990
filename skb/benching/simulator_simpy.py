"""The workload on SimPy, as its tutorial writes such things: a process per message, resources."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator
from typing import Any

from skb.benching.simulator_workload import OCCUPANCY_PS, RECEIVE_PS, SEND_PS, Workload

Steps = Generator[Any, Any, None]


def installed() -> bool:
    """Return whether SimPy is here."""
    return importlib.util.find_spec("simpy") is not None


def latencies(work: Workload) -> list[int]:
    """Return the picoseconds that each operation took."""
    import simpy

    environment = simpy.Environment()
    links = [simpy.Resource(environment) for _ in range(work.links)]
    nodes = [simpy.Resource(environment) for _ in range(work.count)]
    answers: dict[tuple[int, int], int] = {}
    took = [0] * len(work.arrivals)

    def message(op: int, source: int, target: int, up: bool) -> Steps:
        for link in work.routes[source, target]:
            with links[link].request() as turn:
                yield turn
                yield environment.timeout(OCCUPANCY_PS)
            yield environment.timeout(work.latency_ps(link) - OCCUPANCY_PS)
        with nodes[target].request() as turn:
            yield turn
            yield environment.timeout(RECEIVE_PS)
            yield from handle(op, target, up)

    def send(op: int, source: int, target: int, up: bool) -> Steps:
        yield environment.timeout(SEND_PS)
        environment.process(message(op, source, target, up))

    def handle(op: int, node: int, up: bool) -> Steps:
        below = work.children[node]
        if not up and below:
            for child in below:
                yield from send(op, node, child, False)
            return
        if up:
            answers[op, node] = answers.get((op, node), 0) + 1
            if answers[op, node] < len(below):
                return
            del answers[op, node]
        if work.parent[node] >= 0:
            yield from send(op, node, work.parent[node], True)
        else:
            took[op] = int(environment.now) - work.arrivals[op]

    def start(op: int) -> Steps:
        with nodes[0].request() as turn:
            yield turn
            yield from handle(op, 0, False)

    def client() -> Steps:
        for op, time in enumerate(work.arrivals):
            yield environment.timeout(time - environment.now)
            environment.process(start(op))

    environment.process(client())
    environment.run()
    return took
