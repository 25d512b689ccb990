"""Planted faults of page-grained shared memory."""

from simulator.planted import Planted
from simulator.protocols.page_sharing import (
    WRITING,
    Arrived,
    Gone,
    Invalidate,
    PageFault,
    PageSharing,
)

SHARED = {
    "operations": 400,
    "outstanding": 6,
    "items": 2,
    "reads_per_mille": 600,
    "work_ps": 100,
    "parameters": {"fault_ps": 50, "page_ps": 200},
}


class KeepsItsCopy(PageSharing):
    """One PU says that it has given a copy up, and goes on reading it."""

    def invalidate(self, m: Invalidate) -> None:
        if self.me == 3:
            self.send(m.source, Gone(m.op, m.page))
        else:
            super().invalidate(m)


class KeepsWriting(PageSharing):
    """An owner that has sent the page away goes on writing its own."""

    def left(self, write: int) -> int:
        return WRITING


class SkipsAnInvalidation(PageSharing):
    """A home forgets one of those who have copies."""

    def concerns(self, page: int, member: int, asker: int) -> int:
        return 0 if member == 3 else super().concerns(page, member, asker)


class ServesFaultsTogether(PageSharing):
    """A home serves a fault while the page is still on its way for another."""

    def fault(self, m: PageFault) -> None:
        slot = self.slot(m.op)
        self.allowed(m.page)
        self.asker[slot] = m.source
        self.wants[slot] = m.write
        self.serve(m.op, m.page)


class KnowsAnOldOwner(PageSharing):
    """A home does not notice that one PU has become the owner."""

    def arrived(self, m: Arrived) -> None:
        owner = self.owner[m.page]
        super().arrived(m)
        if m.write > 0 and m.source == 2:
            self.owner[m.page] = owner


class ForgetsTheNext(PageSharing):
    """A home does not go on with the faults that wait."""

    def arrived(self, m: Arrived) -> None:
        self.following[self.slot(m.op)] = 0
        super().arrived(m)


class UsesAnOldPage(PageSharing):
    """A PU that had a copy once keeps what was in it."""

    def fill(self, page: int, content: int, version: int) -> None:
        if self.me != 3 or self.version[page] == 0:
            super().fill(page, content, version)


PLANTED = (
    Planted(KeepsItsCopy, ("linearizability",), SHARED),
    Planted(KeepsWriting, ("linearizability",), SHARED),
    Planted(SkipsAnInvalidation, ("linearizability",), SHARED),
    Planted(ServesFaultsTogether, ("linearizability", "termination"), SHARED),
    Planted(KnowsAnOldOwner, ("linearizability",), SHARED),
    Planted(ForgetsTheNext, ("termination",), SHARED),
    Planted(UsesAnOldPage, ("linearizability",), SHARED),
)
