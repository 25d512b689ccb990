"""Views of a group: how a member installs them, and catches up with those that it has missed.

A view is a number and a set of members; the next one differs by one member. The most senior member
of a view is its leader. A member keeps the latest changes and sends them to whoever lacks them; one
that has missed more takes all members over at once.
"""

from simulator.history import APPLIED, COMMIT, LED, RESUMED, VIEWED
from simulator.protocols.protocol import (
    Message,
    PerEntry,
    PerNode,
    PerOperation,
    message,
    on,
)
from simulator.protocols.returning import Returning

NOBODY = -1
MASKED = 62
MIX = 0x9E3779B97F


@message
class Install(Message):
    """A change is decided; this is the number of the view that it leads to."""

    view: int
    who: int


@message
class Here(Message):
    """A member of a view is alive."""

    view: int


@message
class Fetch(Message):
    """Asks for the views behind this one."""

    view: int


@message
class Snapshot(Message):
    """One member of a view, for who has missed more views than are kept: since when it is in.

    So many operations (`op`) belong to it.
    """

    view: int
    member: int
    since: int
    position: int


@message
class Past(Message):
    """Belongs to a snapshot of a view: the last operation of a place that was decided."""

    view: int
    position: int


class Views(Returning):
    """What a member, in or out of the view that it knows, keeps of views.

    `since` holds the view in which a member came in, -1 for who is out; `gone` counts who is out;
    `chair` is the leader, counted from the root; `position` counts the changes that operations
    asked for. Of views up to `floor` the changes are not kept. `away` is 1 until a member is known
    to be up to date, `exiled` 1 while an operation keeps it out, `viewed` the last view that was
    recorded + 1. `pending` (operation + 1) are the operations of the own client, `decided` those of
    all that were decided.
    """

    view: int
    chair: int
    gone: int
    position: int
    since: PerNode
    silence: PerNode
    away: int
    exiled: int
    viewed: int
    floor: int
    log_who: PerEntry
    log_op: PerEntry
    pending: PerOperation
    decided: PerOperation
    asking: int
    taken: int
    taken_view: int
    due: int
    member_taken: PerNode
    past_taken: PerOperation
    past_op: PerOperation
    shadow: PerNode

    # of the classes that inherit

    def enter(self) -> None:
        """Forget what was about the old view."""

    def ask_oldest(self, onwards: int) -> None:
        """Ask again for what is pending."""

    @on(Install)
    def installed(self, m: Install) -> None:
        """Install the next view."""
        if m.view == self.view + 1:
            self.install(m.op, m.who)
            self.ask_oldest(0)

    def install(self, op: int, who: int) -> None:
        """Change the view by one member, and end the operation that asked for it."""
        member = who // self.count
        self.view += 1
        self.log_who[self.view % self.entries] = who
        self.log_op[self.view % self.entries] = op
        if self.since[member] >= 0:
            self.since[member] = NOBODY
            self.gone += 1
            if member == self.me:
                self.exiled = 1 if op >= 0 else 0
        else:
            self.since[member] = self.view
            self.silence[member] = 0
            self.gone -= 1
        self.change()
        if member == self.me and self.since[member] >= 0 and self.away == 0:
            self.record(0, RESUMED, self.position)
        if op >= 0:
            self.position += 1
            if self.away == 0:
                self.record(op, APPLIED, self.position)
            self.settle(op)

    def settle(self, op: int) -> None:
        """Keep in mind that an operation was decided, and end it."""
        self.decided[self.slot(op)] = op + 1
        self.end(op)

    def end(self, op: int) -> None:
        """End an operation where its client is."""
        slot = self.slot(op)
        if self.pending[slot] == op + 1:
            self.pending[slot] = 0
            self.asking -= 1
            self.done(op, COMMIT)

    def change(self) -> None:
        """Find the leader of this view."""
        self.enter()
        best = NOBODY
        for step in range(self.count):
            other = (self.root + step) % self.count
            if self.since[other] >= 0 and (best < 0 or self.since[other] < self.since[best]):
                best = other
        if best != self.head():
            for other in range(self.count):
                self.silence[other] = 0
        self.chair = (best - self.root) % self.count
        self.show()

    def head(self) -> int:
        """Return the leader of the view."""
        return (self.root + self.chair) % self.count

    def show(self) -> None:
        """Record a view once, and its leader, where this is a member that is up to date."""
        if self.away == 1 or self.since[self.me] < 0 or self.viewed > self.view:
            return
        self.viewed = self.view + 1
        self.record(self.view, VIEWED, self.mask())
        if self.head() == self.me:
            self.record(self.view, LED)

    def mask(self) -> int:
        """Return the members, one bit each, or a fingerprint where there are more than 62."""
        mask = 0
        for member in range(self.count):
            if self.since[member] >= 0:
                if self.count <= MASKED:
                    mask |= 1 << member
                else:
                    mask ^= (member + 1) * (member + 7) * MIX
        return mask

    def current(self, view: int, peer: int) -> int:
        """Return 1 if a peer knows the same views; else one of the two fetches or sends some."""
        if view > self.view:
            self.send(peer, Fetch(0, self.view))
        elif view < self.view:
            self.tell(peer, view)
        return 1 if view == self.view else 0

    @on(Fetch)
    def fetch(self, m: Fetch) -> None:
        """Send the views that another one misses, or say that it misses none."""
        if m.view == self.view:
            self.send(m.source, Here(0, self.view))
        self.tell(m.source, m.view)

    def tell(self, peer: int, view: int) -> None:
        """Send the changes behind a view, or, where they are not kept, all members."""
        if view < self.floor or self.view - view > self.entries:
            past = 0
            for slot in range(self.window):
                if self.decided[slot] > 0:
                    self.send(peer, Past(self.decided[slot] - 1, self.view, self.position))
                    past += 1
            for member in range(self.count):
                since = self.since[member]
                self.send(peer, Snapshot(past, self.view, member, since, self.position))
        else:
            for later in range(view + 1, self.view + 1):
                at = later % self.entries
                self.send(peer, Install(self.log_op[at], later, self.log_who[at]))

    @on(Snapshot)
    def snapshot(self, m: Snapshot) -> None:
        """Take over all members of a view, once all parts are here, in whatever order."""
        if self.takes(m.view) == 1 and self.member_taken[m.member] != m.view:
            self.member_taken[m.member] = m.view
            self.shadow[m.member] = m.since
            self.due = self.count + m.op
            self.taken += 1
            self.complete(m.position)

    @on(Past)
    def past(self, m: Past) -> None:
        """Hear that an operation was decided: it is never asked for again."""
        slot = self.slot(m.op)
        if self.takes(m.view) == 1 and self.past_taken[slot] != m.view:
            self.past_taken[slot] = m.view
            self.past_op[slot] = m.op
            self.taken += 1
            self.end(m.op)
            self.complete(m.position)

    def takes(self, view: int) -> int:
        """Return 1 if a part is wanted; that of a later view is the first of its snapshot."""
        if view <= self.view or view < self.taken_view:
            return 0
        if view > self.taken_view:
            self.taken_view = view
            self.taken = 0
            self.due = 0
        return 1

    def complete(self, position: int) -> None:
        """Stand where the sender stood when all parts are here."""
        if self.taken == self.due:
            self.take_over(self.taken_view, position)

    def take_over(self, view: int, position: int) -> None:
        """Install a view without those before it; older changes are not here to be passed on."""
        self.view = view
        self.floor = view
        self.position = position
        self.away = 1
        self.gone = 0
        for member in range(self.count):
            self.since[member] = self.shadow[member]
            if self.since[member] < 0:
                self.gone += 1
        for slot in range(self.window):
            if self.past_taken[slot] == view:
                self.decided[slot] = self.past_op[slot] + 1
        self.change()
        self.ask_oldest(0)

    def successor(self) -> int:
        """Return the most senior member behind the leader."""
        best = NOBODY
        for step in range(self.count):
            other = (self.root + step) % self.count
            if other == self.head() or self.since[other] < 0:
                continue
            if best < 0 or self.since[other] < self.since[best]:
                best = other
        return best

    def resume(self) -> None:
        """Run again, up to date with another one that runs."""
        if self.away == 1:
            self.away = 0
            self.record(0, RESUMED, self.position)
            self.show()
