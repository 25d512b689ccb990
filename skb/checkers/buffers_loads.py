"""What a ring takes of links, controllers and memory, as the judge of `buffers` counts it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from skb.checkers.buffers_model import CACHE, Buffer, Model, Stream

Load = dict[str, Fraction]


class Loads:
    """Loads by place, counted once."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.machine = model.machine
        self._most: Load = {}
        for _, key, most in model.limits:
            self._most[key] = min(most, self._most.get(key, most))
        self._known: dict[tuple[str, str, str, str | None], Load] = {}
        self._chains: dict[str, tuple[str, ...]] = {}
        self._walked: dict[tuple[str, str], list[str]] = {}

    def of(self, flow: Stream, buffer: Buffer, place: str, pu: int | None) -> Load:
        """Return what a ring takes of everything that has a limit."""
        # where a PU is matters for the ways of what it reads, not which one it is
        key = (flow.name, buffer.kind, place, self.machine.package_of.get(-1 if pu is None else pu))
        if key not in self._known:
            found = self._load(flow, buffer, place, pu)
            self._known[key] = {k: v for k, v in found.items() if v and k in self._most}
        return self._known[key]

    def alone_exceeds(self, load: Load) -> bool:
        return any(amount > self._most[key] for key, amount in load.items())

    def exceeded(self, loads: Sequence[Load]) -> list[str]:
        """Return what loads exceed together."""
        sums = self.sums(loads)
        return sorted({what for what, key, most in self.model.limits if sums.get(key, 0) > most})

    def sums(self, loads: Sequence[Load]) -> Load:
        found: Load = defaultdict(Fraction)
        for load in loads:
            for key, amount in load.items():
                found[key] += amount
        return found

    def _load(self, flow: Stream, buffer: Buffer, place: str, pu: int | None) -> Load:
        bytes_s = flow.rate * buffer.packet
        name = place.removeprefix(CACHE)
        rates: Load = defaultdict(Fraction)
        rates[f"ring {name}"] += buffer.size
        if name != place:
            rates[f"llc {name}"] += buffer.size
        if buffer.kind == "descriptors":
            to_memory = to_device = bytes_s
            reader = Fraction(0) if pu is None else bytes_s
            moves = [(name, f"pu:{pu}", reader), (f"pu:{pu}", name, reader)]
            busy = 2 * bytes_s + 2 * reader
        else:
            again = bytes_s if flow.forwarded else Fraction(0)
            to_memory, to_device = (again, bytes_s) if flow.outgoing else (bytes_s, again)
            if place == flow.gpu:
                return self._between(rates, flow, to_memory, to_device)
            reader = bytes_s * buffer.touched
            end = f"pu:{pu}"
            if flow.gpu:
                reader = bytes_s if buffer.touched or not flow.forwarded else Fraction(0)
                end = flow.gpu
                way = "rx" if flow.outgoing else "tx"
                for at in self._above(flow.gpu):
                    rates[f"{way} {at}"] += reader
            elif pu is None:
                reader = Fraction(0)
            moves = [(end, name, reader) if flow.outgoing else (name, end, reader)]
            busy = bytes_s + again + reader
        if name == place:
            rates[f"node {name}"] += busy
        for at in self._above(flow.device):
            rates[f"rx {at}"] += to_memory
            rates[f"tx {at}"] += to_device
        moves += [(flow.device, name, to_memory), (name, flow.device, to_device)]
        self._walk(rates, [move for move in moves if move[2]])
        return rates

    def _between(self, rates: Load, flow: Stream, to_peer: Fraction, back: Fraction) -> Load:
        """Count what two devices exchange: their own PCI links below the part that joins them."""
        one, two = self._above(flow.device), self._above(flow.gpu)
        for at in one:
            if at not in two:
                rates[f"rx {at}"] += to_peer
                rates[f"tx {at}"] += back
        for at in two:
            if at not in one:
                rates[f"tx {at}"] += to_peer
                rates[f"rx {at}"] += back
        self._walk(rates, [(flow.device, flow.gpu, to_peer), (flow.gpu, flow.device, back)])
        return rates

    def _above(self, device: str) -> tuple[str, ...]:
        if device not in self._chains:
            self._chains[device] = (device, *self.machine.ancestors(device))
        return self._chains[device]

    def _walk(self, rates: Load, moves: Sequence[tuple[str, str, Fraction]]) -> None:
        around = self.machine.package_around
        for start, end, rate in moves:
            if (start, end) not in self._walked:
                links = self.model.walker.links(around(start), around(end)) or ()
                found = [f"{a} to {b}" for a, b in links]
                self._walked[start, end] = [link for link in found if link in self._most]
            for link in self._walked[start, end]:
                rates[link] += rate
