"""What a run gives back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulator.engine import OVERLOADED, Row
from simulator.links import LinkUse

PS_PER_NS = 1000
PS_PER_S = 10**12


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one run; times in picoseconds unless the name says otherwise.

    `latency_ps` holds one number per finished operation, in order of the operations. `ended` says
    why the run ended: "finished", "stalled" (nothing left to happen, yet operations unfinished),
    "overloaded" (the window of operations in flight was full, or too much was pending), "event
    limit" or "horizon"; `ended_ps` is the time of the last event. `occupancy` is the busy fraction
    per PU over `elapsed_ps`, `line_occupancy` that of the cache lines that were used. `lost` and
    `delayed` count what the network did to messages between members; what comes to a PU that is
    down is not counted as lost. `trace` is empty unless asked for;
    `came_ps` then says, where the engine knows, when the message of each row had come (-1: own).
    `worked_ps` is when the last operation ended, where timers run on behind it.
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
    engine: str = field(default="plain", compare=False)
    trace: tuple[Row, ...] = ()
    came_ps: tuple[int, ...] = ()
    worked_ps: int = 0
    ended_ps: int = 0
    line_occupancy: Mapping[str, float] = field(default_factory=dict)
    links: tuple[LinkUse, ...] = ()
    lost: int = 0
    delayed: int = 0

    @property
    def throughput_per_s(self) -> float | None:
        """Finished operations per second of simulated time; None where no time passed."""
        worked = self.worked_ps or self.elapsed_ps
        return self.completed * PS_PER_S / worked if worked else None

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
            "line_occupancy": dict(self.line_occupancy),
            "link_load": {use.name: self._share(use.busy_ps) for use in self.links},
            "links": {
                use.name: {
                    "messages": use.messages,
                    "busy": self._share(use.busy_ps),
                    "mean_wait_ns": use.waited_ps / use.messages / PS_PER_NS if use.messages else 0,
                }
                for use in self.links
            },
            "messages": {"lost": self.lost, "delayed": self.delayed},
            "ended": self.ended,
            "ended_ns": self.ended_ps / PS_PER_NS,
            "events": self.events,
            "events_per_s": self.events_per_s,
            "engine": self.engine,
            "trace_digest": self.trace_digest,
            "seed": self.seed,
        }

    @property
    def ending(self) -> str:
        """Why the run ended, in words, with the time where that is news."""
        if self.ended == OVERLOADED:
            return f"{OVERLOADED} at {self.ended_ps / PS_PER_NS:,.0f} ns"
        return self.ended

    def _share(self, busy_ps: int) -> float:
        """Return the part of the run for which something was busy."""
        return busy_ps / self.elapsed_ps if self.elapsed_ps else 0.0

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
