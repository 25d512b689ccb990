"""Page-grained distributed shared memory: whoever touches a page that it lacks fetches all of it.

The sequentially consistent protocol of K. Li, P. Hudak, "Memory coherence in shared virtual memory
systems", ACM TOCS 1989, with fixed managers: page p has its home at member p modulo their number,
and that one knows the page's owner, who wrote it last, and who has copies. A read fault fetches a
copy from the owner, who may only read from then on; a write fault makes all other copies void and
moves the page with its ownership. The home serves one fault of a page at a time, in order of
arrival, and the next one when the page has come. TreadMarks (P. Keleher et al., USENIX 1994) pays
less, with several writers and lazy release consistency; that is not this protocol.

A page that is on its way to a PU that crashes, or is owned by one, is lost to the others until that
PU goes on; who waits for it waits for ever if the message is lost.
"""

from simulator.history import COMMIT, ORDERED
from simulator.protocols.one_at_a_time import OneAtATime
from simulator.protocols.protocol import (
    Message,
    Parameter,
    PerItem,
    PerOperation,
    message,
    on,
)

NOTHING, READING, WRITING = range(3)
"""What a member may do with a page."""

BITS = 62
"""Members that a row of copies tells apart; those that share a bit are told together."""


@message
class PageFault(Message):
    """A member lacks a page, at the page's home."""

    page: int
    write: int


@message
class Invalidate(Message):
    """The copy of a page is void."""

    page: int


@message
class Gone(Message):
    """It is not read any more."""

    page: int


@message
class Fetch(Message):
    """Asks the owner to send the page to a member."""

    page: int
    write: int
    asker: int


@message
class Page(Message):
    """The page itself; `version` counts its updates."""

    page: int
    write: int
    content: int
    version: int


@message
class Arrived(Message):
    """The page has come, and the next fault may be served."""

    page: int
    write: int


class PageSharing(OneAtATime):
    """A PU with its page table; a home for its share of the pages, which are the items.

    `fault_ps` is the time of a trap, `page_ps` that of copying a page out, `work_ps` that of an
    access. Of each page a member keeps `may`, `content` and `version`; its home keeps `owner` (+ 1,
    0: the home itself), `copies` (a bit for each member, BITS of them), `missing` invalidations,
    and `first` and `last` operation + 1 of those that wait, linked by `following`. Of an operation
    the home keeps who is the `asker`, and in `wants` 1 where it writes.
    """

    name = "page-sharing"
    options = frozenset({"reads_per_mille", "items"})
    promises = ("integrity", "linearizability", "termination", "liveness")
    phases = ()

    fault_ps: Parameter
    page_ps: Parameter
    work_ps: Parameter
    may: PerItem
    content: PerItem
    version: PerItem
    owner: PerItem
    copies: PerItem
    missing: PerItem
    first: PerItem
    last: PerItem
    following: PerOperation
    asker: PerOperation
    wants: PerOperation

    def home(self, page: int) -> int:
        """Return the member that manages a page."""
        return page % self.count

    def allowed(self, page: int) -> int:
        """Return what this member may do with a page; at first the home of a page owns it."""
        if self.home(page) == self.me and self.owner[page] == 0:
            self.owner[page] = self.me + 1
            self.may[page] = WRITING
        return self.may[page]

    def begin(self, op: int) -> None:
        """Access the page, or trap and ask its home for it."""
        slot = self.slot(op)
        page = self.item[slot]
        if self.allowed(page) >= (WRITING if self.write[slot] > 0 else READING):
            self.access(op, page, self.write[slot])
        else:
            self.work(self.fault_ps)
            self.send(self.home(page), PageFault(op, page, self.write[slot]))

    def access(self, op: int, page: int, write: int) -> None:
        """Read or change a page that one has, and end the operation."""
        if write > 0:
            self.version[page] += 1
            self.content[page] = self.value[self.slot(op)]
            # one order of the updates of each page, and no position twice
            self.record(op, ORDERED, self.version[page] * self.items + page)
        self.work(self.work_ps)
        self.finish(op, COMMIT if write > 0 else self.content[page])

    @on(PageFault)
    def fault(self, m: PageFault) -> None:
        """Serve a fault, or let it wait for those before it."""
        slot = self.slot(m.op)
        self.allowed(m.page)
        self.asker[slot] = m.source
        self.wants[slot] = m.write
        self.following[slot] = 0
        if self.last[m.page] > 0:
            self.following[self.slot(self.last[m.page] - 1)] = m.op + 1
            self.last[m.page] = m.op + 1
        else:
            self.first[m.page] = m.op + 1
            self.last[m.page] = m.op + 1
            self.serve(m.op, m.page)

    def serve(self, op: int, page: int) -> None:
        """Make all copies but the asker's and the owner's void before a write, then fetch."""
        slot = self.slot(op)
        self.missing[page] = 0
        if self.wants[slot] > 0:
            for member in range(self.count):
                if self.concerns(page, member, self.asker[slot]) > 0:
                    self.missing[page] += 1
                    self.send(member, Invalidate(op, page))
            self.copies[page] = 0
        if self.missing[page] == 0:
            self.fetch(op, page)

    def concerns(self, page: int, member: int, asker: int) -> int:
        """Return 1 where a member may have a copy that has to go."""
        if member == asker or member + 1 == self.owner[page]:
            return 0
        return self.copies[page] >> member % BITS & 1

    @on(Invalidate)
    def invalidate(self, m: Invalidate) -> None:
        """Give a copy up."""
        self.may[m.page] = NOTHING
        self.send(m.source, Gone(m.op, m.page))

    @on(Gone)
    def gone(self, m: Gone) -> None:
        """Count who has given the page up."""
        self.missing[m.page] -= 1
        if self.missing[m.page] == 0:
            self.fetch(m.op, m.page)

    def fetch(self, op: int, page: int) -> None:
        """Let the owner send the page to who asked for it."""
        slot = self.slot(op)
        owner = self.owner[page] - 1
        self.send(owner, Fetch(op, page, self.wants[slot], self.asker[slot]))

    @on(Fetch)
    def fetched(self, m: Fetch) -> None:
        """Send the page, and keep no more than a copy to read, or nothing at all."""
        self.may[m.page] = self.left(m.write)
        if m.asker != self.me:
            self.work(self.page_ps)
        page = m.page
        self.send(m.asker, Page(m.op, page, m.write, self.content[page], self.version[page]))

    def left(self, write: int) -> int:
        """Return what the owner may still do with a page that it sends away."""
        return NOTHING if write > 0 else READING

    @on(Page)
    def page(self, m: Page) -> None:
        """Take the page, carry the operation out, and let the home go on."""
        self.fill(m.page, m.content, m.version)
        self.may[m.page] = WRITING if m.write > 0 else READING
        self.access(m.op, m.page, m.write)
        self.send(self.home(m.page), Arrived(m.op, m.page, m.write))

    def fill(self, page: int, content: int, version: int) -> None:
        """Take over what is in a page."""
        self.content[page] = content
        self.version[page] = version

    @on(Arrived)
    def arrived(self, m: Arrived) -> None:
        """Note who has the page now, and serve the next fault."""
        page = m.page
        if m.write > 0:
            self.owner[page] = m.source + 1
        else:
            self.copies[page] |= 1 << m.source % BITS
        self.first[page] = self.following[self.slot(m.op)]
        if self.first[page] > 0:
            self.serve(self.first[page] - 1, page)
        else:
            self.last[page] = 0
