"""Where clients and services of `offers` can be, and the latency between them.

Code runs on PUs and on programmable devices. The latency from a part that runs code to the part of
a service is 0 inside that part (a call, no message), else what is stated for the pair, else that
to the nearest usable PU of the service's part. A device is as near as the nearest usable PU that it
is local to.
"""

from __future__ import annotations

from collections.abc import Mapping

from skb.costs import Costs, to_ps
from skb.decision import Assumption
from skb.errors import NotFoundError, RequestError
from skb.machine import CPU_KINDS, Machine, kind_of


class Places:
    """The parts of one machine that run code; `assumed` grows with what nobody stated."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.costs = Costs(machine)
        self.usable = frozenset(machine.usable_pus)
        self._assumed: dict[str, str] = {}
        self._stated = any(
            kind_of(str(f.args[n])) != "pu" for f in machine.facts_of("latency") for n in (0, 1)
        )
        self._ends: dict[str, tuple[int, ...]] = {}

    @property
    def assumed(self) -> tuple[Assumption, ...]:
        own = tuple(Assumption(fact, why) for fact, why in sorted(self._assumed.items()))
        return (*self.costs.assumed, *own)

    def name(self, at: str | int, services: Mapping[str, str], place: str) -> str:
        """Return the part that a request names: a PU's number, a part, a device, `service:NAME`.

        Raises `RequestError` where there is none.
        """
        text = f"pu:{at}" if isinstance(at, int) else at
        if text.startswith("service:") and text[8:] in services:
            return services[text[8:]]
        if not self.machine.has(text) and self.machine.has(f"device:{text}"):
            text = f"device:{text}"
        try:
            return self.machine.require(text)
        except NotFoundError as fault:
            raise RequestError(fault.message, place=place, mend=fault.mend) from fault

    def every(self) -> tuple[str, ...]:
        """Return all usable parts that run code: PUs, then programmable devices."""
        devices = {str(f.args[0]) for f in self.machine.facts_of("programmable")}
        found = [f"pu:{pu}" for pu in self.machine.usable_pus]
        return (*found, *(d for d in sorted(devices) if self.ends(d)))

    def inside(self, at: str) -> tuple[str, ...]:
        """Return the usable parts that run the code of a client that is at a part."""
        if kind_of(at) in CPU_KINDS or kind_of(at) == "numa":
            return tuple(f"pu:{pu}" for pu in self.ends(at))
        return (at,) if self.ends(at) else ()

    def isas(self, spot: str) -> tuple[str, ...]:
        """Return the instruction sets that a part executes; none where nobody stated them."""
        if kind_of(spot) == "pu":
            stated = self.machine.inherited("isa", spot)
            return () if stated is None else (str(stated),)
        facts = self.machine.facts_of("programmable")
        return tuple(sorted(str(f.args[1]) for f in facts if f.args[0] == spot))

    def ends(self, at: str) -> tuple[int, ...]:
        """Return the usable PUs of a part, or that it is local to; none where it is unusable."""
        if at not in self._ends:
            gone = bool(self.machine.unusable(at))
            found = () if gone else tuple(sorted(self.machine.pus_of(at) & self.usable))
            self._ends[at] = found
        return self._ends[at]

    def why_unusable(self, at: str) -> str:
        """Return why nothing can run at a part, or an empty string."""
        if self.ends(at):
            return ""
        why = self.machine.unusable(at)
        if not why:
            off = (self.machine.unusable(f"pu:{pu}") for pu in sorted(self.machine.pus_of(at)))
            why = next(off, f"{at} has no PU")
        return why

    def ps(self, spot: str, service: str) -> int:
        """Return the one-way latency from a part that runs code to a usable service's part."""
        if spot == service:
            return 0
        near, far = self.ends(spot), self.ends(service)
        if kind_of(spot) == "pu" and near[0] in far and kind_of(service) in CPU_KINDS:
            return 0
        if self._stated:
            stated = self.machine.number("latency", spot, service)
            if stated is not None:
                return to_ps(stated)
        for at in (spot, service):
            if kind_of(at) not in CPU_KINDS:
                self._assumed[f"latency of {at} = that of the nearest PU local to it"] = (
                    "nobody stated a latency from or to it"
                )
        if not set(near).isdisjoint(far):
            return 0
        return min(self.costs.latency_ps(a, b) for a in near for b in far)
