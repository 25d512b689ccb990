"""The handlers of a protocol as the explorer runs them: once for each pair of node and message."""

from typing import Any

from simulator.explore_tables import (
    NETWORK,
    TIMED,
    TOLD,
    Flight,
    Local,
    Said,
    Step,
    Table,
    said_also,
)
from simulator.protocols.protocol import (
    DONE,
    RECORD,
    SEND,
    TIMER,
    WORK,
    Message,
    Protocol,
    bound_handlers,
    declared_fields,
    handled_kinds,
    payload_names,
)


class Handlers:
    """Nodes and messages by number, and what each message does to each node.

    With `cuts` a step also has what is left of it where a crash comes before one of its sends.
    """

    def __init__(self, protocol: type[Protocol], nodes: list[Protocol], cuts: bool) -> None:
        """Take the nodes of a protocol, of which only the places are used."""
        self.nodes = nodes
        self._cuts = cuts
        self._handlers = [bound_handlers(node) for node in nodes]
        fields = declared_fields(protocol)
        self._fields = {name: kind for name, kind in fields.items() if kind != "parameter"}
        kinds = list(handled_kinds(protocol))
        self.kinds = {kind: number for number, kind in enumerate(kinds)}
        self._made = [(kind, payload_names(kind)) for kind in kinds]
        self.names = list(handled_kinds(protocol).values())
        self.locals: Table[Local] = Table()
        self.flights: Table[Flight] = Table()
        self.records: Table[tuple[Said, ...]] = Table()
        self.reports: Table[tuple[tuple[int, int], ...]] = Table()
        self._steps: dict[tuple[int, int], Step] = {}

    def step(self, local: int, flight: int) -> Step:
        """Return what the handler of a message does to a node, run once and then known."""
        known = self._steps.get((local, flight))
        if known is None:
            known = self._steps[local, flight] = self._handle(local, flight)
        return known

    def _handle(self, local: int, number: int) -> Step:
        """Run a handler."""
        status, fields, records, reports = self.locals.rows[local]
        at, _, kind, source, op, *integers = self.flights.rows[number]
        node = self.nodes[at]
        self.restore(node, fields)
        made = self._made[kind][0]
        message = made(op, *integers)
        message.source = source
        self._handlers[at][made](message)
        actions: list[Any] = list(node.outbox)
        node.outbox.clear()
        after = self.fields_of(node)

        def performed(count: int, cuts: tuple[Step, ...]) -> Step:
            said, told = self.records.rows[records], list(self.reports.rows[reports])
            sent, timed, ended = [], [], []
            for code, what, about, value, message in actions[:count]:
                if code == SEND:
                    sent.append(self.flight(what, NETWORK, at, message))
                elif code == TIMER:
                    timed.append(self.flight(what, TIMED, at, message))
                elif code == RECORD:
                    said = said_also(said, (about, what, value))
                elif code == DONE:
                    told.append((about, value))
                    ended.append(about)
            new = (
                status,
                after,
                self.records.number(said),
                self.reports.number(tuple(told)),
            )
            return Step(self.locals.number(new), tuple(sent), tuple(timed), tuple(ended), cuts)

        cuts: tuple[Step, ...] = ()
        if self._cuts:
            places = [i for i, action in enumerate(actions) if action[0] in (SEND, WORK)]
            cuts = tuple(performed(place, ()) for place in places)
        return performed(len(actions), cuts)

    def special(self, node: int, message: Message) -> int:
        return self.flight(node, TOLD, node, message)

    def flight(self, node: int, origin: int, source: int, message: Message) -> int:
        """Return the number of a message on its way to a node."""
        kind = self.kinds[type(message)]
        integers = (getattr(message, name) for name in self._made[kind][1])
        return self.flights.number((node, origin, kind, source, message.op, *integers))

    def fields_of(self, node: Protocol) -> tuple[int, ...]:
        """Return all fields of a node in one row."""
        row: list[int] = []
        for name, extent in self._fields.items():
            value = getattr(node, name)
            row += [value] if extent == "one" else value
        return tuple(row)

    def restore(self, node: Protocol, row: tuple[int, ...]) -> None:
        """Set all fields of a node from a row."""
        at = 0
        for name, extent in self._fields.items():
            if extent == "one":
                setattr(node, name, row[at])
                at += 1
            else:
                size = len(getattr(node, name))
                setattr(node, name, list(row[at : at + size]))
                at += size
