"""What a run gives back."""

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.engine import Row

PS_PER_NS = 1000
PS_PER_S = 10**12


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one run; times in picoseconds unless the name says otherwise.

    `latency_ps` holds one number per finished operation, in order of the operations. `ended` says
    why the run ended: "finished", "stalled" (nothing left to happen, yet operations unfinished),
    "overloaded" (the window of operations in flight was full), "event limit" or "horizon".
    `occupancy` is the busy fraction per PU over `elapsed_ps`. `trace` is empty unless asked for.
    """

    protocol: str
    machine: str
    route: str
    model: str
    operations: int
    completed: int
    unfinished: int
    aborts: int
    ended: str
    latency_ps: tuple[int, ...]
    elapsed_ps: int
    phases_ps: dict[str, int]
    violations: tuple[str, ...]
    occupancy: dict[int, float]
    events: int
    trace_digest: str
    seed: int
    events_per_s: float | None = None
    trace: tuple[Row, ...] = ()

    @property
    def throughput_per_s(self) -> float | None:
        """Finished operations per second of simulated time; None where no time passed."""
        return self.completed * PS_PER_S / self.elapsed_ps if self.elapsed_ps else None

    def to_json(self) -> dict[str, object]:
        """Return the result under the fixed names of the JSON contract, latencies in ns."""
        return {
            "protocol": self.protocol,
            "machine": self.machine,
            "route": self.route,
            "model": self.model,
            "operations": self.operations,
            "completed": self.completed,
            "unfinished": self.unfinished,
            "latency": self._latency(),
            "phases": {
                name: {"value": time / PS_PER_NS, "unit": "ns"}
                for name, time in self.phases_ps.items()
            },
            "throughput_per_s": self.throughput_per_s,
            "aborts": self.aborts,
            "violations": list(self.violations),
            "occupancy": {str(pu): busy for pu, busy in self.occupancy.items()},
            "link_load": {},
            "events": self.events,
            "events_per_s": self.events_per_s,
            "trace_digest": self.trace_digest,
            "seed": self.seed,
        }

    def _latency(self) -> dict[str, object]:
        """Summarise the latencies; all None where no operation has finished."""
        if not self.latency_ps:
            empty = dict.fromkeys(("mean", "p50", "p99", "max"))
            exact = {"first": None, "max": None}
            return {"unit": "ns", "count": 0, **empty, "exact_ps": exact}
        ordered = sorted(self.latency_ps)
        return {
            "unit": "ns",
            "count": len(ordered),
            "mean": sum(ordered) / len(ordered) / PS_PER_NS,
            "p50": percentile(ordered, 50) / PS_PER_NS,
            "p99": percentile(ordered, 99) / PS_PER_NS,
            "max": ordered[-1] / PS_PER_NS,
            "exact_ps": {"first": self.latency_ps[0], "max": ordered[-1]},
        }


def percentile(ordered: Sequence[int], percent: int) -> int:
    """Return the smallest of ascending numbers that at least so many percent do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
