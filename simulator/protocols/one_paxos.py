"""1Paxos: one leader and one active acceptor decide alone; Paxos only replaces one of them.

The leader orders the operations of all clients and sends each to the active acceptor. What that one
accepts is decided: it tells all members, who apply it (T. David, R. Guerraoui, M. Yabandeh,
"Consensus inside", Middleware 2014). When the acceptor is slow or gone, the leader hands whatever
it has proposed to a backup, and has the members decide that the backup is the acceptor; the paper
writes these operations into the entry of its utility, here the backup has them before the entry is
proposed. When the leader is slow or gone, another member has them decide that it is the leader, and
first learns all that the acceptor has. While one of the two and a majority are there, operations
go on; while both are away, they wait for one.

The acceptor sends what it has accepted to the root, on down the tree, as long as the root leads,
else to each member.
"""

from simulator.history import APPLIED, LED, RESUMED
from simulator.protocols.paxos_backups import PaxosBackups
from simulator.protocols.protocol import (
    Boot,
    Message,
    Parameter,
    Phase,
    PowerDown,
    Start,
    message,
    on,
)
from simulator.protocols.register_log import Fetch, Learned

PATIENCE = 3


@message
class Request(Message):
    """A client's operation, to the leader."""

    content: int


@message
class Propose(Message):
    """Asks the active acceptor to accept an operation at a position."""

    term: int
    position: int
    content: int


@message
class Spread(Message):
    """What was decided at a position, on its way down the tree."""

    position: int
    content: int


@message
class Prepare(Message):
    """The leader of term `op` asks the acceptor for all that it has behind a position."""

    position: int


@message
class Prepared(Message):
    """The acceptor of term `op` has all up to a position, and accepts nothing of older terms."""

    position: int


@message
class Beat(Message):
    """The leader of term `op` is alive and has learned so far; -1 while it does not know."""

    position: int


@message
class Here(Message):
    """The acceptor of term `op` is alive."""


@message
class Leave(Message):
    """The leader or the acceptor of term `op` is about to be powered down."""


@message
class Retry(Message):
    """No answer for too long."""

    item: int
    value: int
    write: int


@message
class Tick(Message):
    """Time to beat, or to count how long nobody did."""


class OnePaxos(PaxosBackups):
    """One member: client and learner, and at times leader, acceptor or backup.

    `unready` is 1 while the leader does not know what the acceptor has. `quiet` counts ticks since
    the leader, or at the leader the acceptor, was heard. `timeout_ps` is the time between two
    beats (default: two rounds); who is silent for four of them is replaced.
    """

    name = "one-paxos"
    starts = "client"
    reports = "one"
    options = frozenset({"reads_per_mille", "items"})
    promises = (
        "integrity", "prefix", "leadership", "linearizability", "resumption", "durability",
        "termination", "liveness",
    )  # fmt: skip
    phases = (Phase("accepted", APPLIED, "first"), Phase("applied", APPLIED, "last"))
    endless = True
    survives = frozenset({"crash", "power", "slow", "delay", "loss", "partition"})

    timeout_ps: Parameter
    unready: int
    quiet: int

    # clients

    @on(Start)
    def start(self, m: Start) -> None:
        """Bring an operation to the leader."""
        self.waiting[self.slot(m.op)] = m.op + 1
        self.ask(m.op, m.item, m.value, m.write)

    @on(Retry)
    def retry(self, m: Retry) -> None:
        """Ask again unless the operation was learned here, be it with a snapshot or while away."""
        slot = self.slot(m.op)
        if self.waiting[slot] == m.op + 1:
            if self.knows(m.op) == 1 and self.away == 0 and self.dirty == 0:
                self.finish(m.op, self.answer[slot])
            else:
                self.ask(m.op, m.item, m.value, m.write)

    def ask(self, op: int, item: int, value: int, write: int) -> None:
        """Ask the leader as far as this member knows."""
        if self.chief() == self.me:
            self.admit(op, self.packed(item, value, write))
        else:
            self.send(self.chief(), Request(op, self.packed(item, value, write)))
        if self.waiting[self.slot(op)] == op + 1:
            self.timer(4 * self.pause(), Retry(op, item, value, write))

    def applied(self, op: int, client: int) -> None:
        """End an operation of the own client."""
        if client == self.me and self.away == 0:
            self.finish(op, self.answer[self.slot(op)])

    # leader and acceptor

    @on(Request)
    def request(self, m: Request) -> None:
        """Take an operation as the leader."""
        if self.chief() == self.me:
            self.admit(m.op, m.content)

    def admit(self, op: int, content: int) -> None:
        """Give an operation the next position, unless it has one."""
        if self.unready == 1 or self.backup > 0 or self.knows(op) == 1:
            return
        if self.top - self.learned >= self.entries:
            return
        for position in range(self.learned + 1, self.top + 1):
            if self.ops[position % self.entries] == op:
                return
        self.top += 1
        self.store(self.top, op, content)
        self.propose(self.top)

    def propose(self, position: int) -> None:
        """Ask the acceptor; one alone is leader and acceptor."""
        at = position % self.entries
        if self.acceptor() == self.me:
            self.apply_next()
        else:
            told = self.acceptor()
            self.send(told, Propose(self.ops[at], self.term, position, self.contents[at]))

    @on(Propose)
    def proposed(self, m: Propose) -> None:
        """Accept the next operation of the leader, which decides it, and tell all."""
        if self.current(m.term, m.source) == 0 or self.acceptor() != self.me:
            return
        if m.position <= self.learned:
            self.send(m.source, Learned(m.op, m.position, m.content))
        elif m.position == self.learned + 1 and self.dirty == 0 and self.away == 0:
            self.store(m.position, m.op, m.content)
            self.apply_next()
            self.skipped()
            self.tell_all(m.op, m.position, m.content)

    def tell_all(self, op: int, position: int, content: int) -> None:
        """Tell what is decided, down the tree where the root leads."""
        if self.chief() == self.root:
            self.send(self.root, Spread(op, position, content))
        else:
            for member in range(self.count):
                if member != self.me:
                    self.send(member, Learned(op, position, content))

    @on(Spread)
    def spread(self, m: Spread) -> None:
        """Learn, and tell those below."""
        self.take_decided(m.op, m.position, m.content)
        self.multicast(m)

    def skipped(self) -> None:
        """Count what was learned as proposed."""
        if self.top < self.learned:
            self.top = self.learned

    def reach(self) -> int:
        """Return the last position that has an entry."""
        return self.top if self.top > self.learned else self.learned

    # another leader

    def entered(self, led: int) -> None:
        """Take up the work of a new term."""
        if self.chief() == self.me:
            self.record(self.term, LED)
        if self.acceptor() == self.me and self.handed > 0 and self.since == self.handed:
            while self.learned < self.top:
                self.apply_next()
        self.handed = 0
        self.backup = 0
        self.quiet = 0
        if self.chief() != self.me:
            self.unready = 0
            self.top = self.learned
        elif led == 1 and self.since == self.term:
            for position in range(self.learned + 1, self.top + 1):
                self.propose(position)
        else:
            self.unready = 1
            self.top = self.learned
            self.send(self.acceptor(), Prepare(self.term, self.lacking()))

    @on(Prepare)
    def prepare(self, m: Prepare) -> None:
        """Tell a leader all that was accepted; older terms are over with this."""
        if self.current(m.op, m.source) == 1 and self.acceptor() == self.me and self.dirty == 0:
            self.serve(m.source, m.position)
            self.send(m.source, Prepared(m.op, self.learned))

    @on(Prepared)
    def prepared(self, m: Prepared) -> None:
        """Lead, once all that the acceptor has is here."""
        if self.term != m.op or self.chief() != self.me or self.learned < m.position:
            return
        if self.unready == 1 and self.dirty == 0:
            self.unready = 0
            self.resume()
            for position in range(self.learned + 1, self.top + 1):
                self.propose(position)

    # who is alive

    def pause(self) -> int:
        """Return the picoseconds between two beats."""
        return self.timeout_ps if self.timeout_ps > 0 else 2 * self.round_ps

    @on(Boot)
    def boot(self, m: Boot) -> None:
        """Begin to watch; the root leads term 0."""
        if self.term == 0 and self.me == self.root:
            self.record(0, LED)
        self.timer(self.pause(), Tick(0))

    @on(Tick)
    def tick(self, m: Tick) -> None:
        """Beat, or count how long nobody did."""
        self.timer(self.pause(), Tick(0))
        if self.count == 1:
            return
        if self.quiet <= 4 * PATIENCE:
            self.quiet += 1
        if self.chief() == self.me:
            self.lead()
        elif self.acceptor() != self.me:
            self.follow()

    def lead(self) -> None:
        """Show to be alive; ask again for what is not learned; replace a silent acceptor."""
        known = -1 if self.unready == 1 else self.learned
        for member in range(self.count):
            if member != self.me:
                self.send(member, Beat(self.term, known))
        if self.trying > 0:
            self.try_again()
        elif self.unready == 1:
            self.send(self.acceptor(), Prepare(self.term, self.lacking()))
        elif self.quiet <= 1:
            self.backup = 0
            for position in range(self.learned + 1, self.top + 1):
                self.propose(position)
        elif self.quiet > PATIENCE and self.count > 2:
            self.hand_over()

    def follow(self) -> None:
        """Stand for the leader's place, those behind it in number first."""
        turn = (self.me - self.chief()) % self.count
        bound = PATIENCE + (turn if turn < 2 * PATIENCE else 2 * PATIENCE)
        if self.quiet > bound:
            if self.trying > 0:
                self.try_again()
            else:
                self.interrogate()

    def try_again(self) -> None:
        """Interrogate anew where answers have been missing for some ticks."""
        self.age += 1
        if self.age > 1 + self.random(3):
            self.interrogate()

    @on(Beat)
    def beat(self, m: Beat) -> None:
        """Hear that the leader is alive, and fetch what is lacking."""
        if self.current(m.op, m.source) == 0:
            return
        self.quiet = 0
        if self.acceptor() == self.me:
            self.send(m.source, Here(self.term))
        if m.position > self.learned or self.dirty > 0:
            self.send(m.source, Fetch(self.lacking()))
        elif m.position >= 0:
            self.resume()

    @on(Here)
    def here(self, m: Here) -> None:
        """Hear that the acceptor is alive."""
        if m.op == self.term and m.source == self.acceptor():
            self.quiet = 0

    @on(PowerDown)
    def power_down(self, m: PowerDown) -> None:
        """Let the leader, or a member that is not the acceptor, find a replacement at once."""
        if self.acceptor() == self.me and self.chief() != self.me:
            self.send(self.chief(), Leave(self.term))
        elif self.chief() == self.me and self.count > 2:
            peer = (self.me + 1) % self.count
            if peer == self.acceptor():
                peer = (peer + 1) % self.count
            self.send(peer, Leave(self.term))

    @on(Leave)
    def leave(self, m: Leave) -> None:
        """Replace the leader or the acceptor before its silence is noticed."""
        if m.op != self.term or self.trying > 0 or self.acceptor() == self.me:
            return
        if m.source == self.chief():
            self.quiet = 4 * PATIENCE
            self.interrogate()
        elif self.chief() == self.me and self.unready == 0 and self.count > 2:
            self.quiet = PATIENCE + 1
            self.hand_over()

    def come_back(self) -> None:
        """As the leader, ask the acceptor what it has; else wait to hear from the leader."""
        self.away = 1
        self.stage = 0
        self.quiet = 0
        self.timer(self.pause(), Tick(0))
        if self.count == 1:
            self.resume()
        elif self.chief() == self.me:
            self.unready = 1
            self.send(self.acceptor(), Prepare(self.term, self.lacking()))

    def resume(self) -> None:
        """Run again."""
        if self.away == 1 and self.dirty == 0:
            self.away = 0
            self.record(0, RESUMED, self.learned)
