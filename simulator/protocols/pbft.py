"""Practical Byzantine fault tolerance: what agreement costs where members may lie.

Of 3f + 1 replicas f may do whatever they like. The primary of a view proposes an operation for a
position; the others say to all what they have accepted; who hears the same of 2f + 1 has prepared
it and says so; who hears that of 2f + 1 executes it and answers the client, which believes what
f + 1 tell it (M. Castro, B. Liskov, "Practical Byzantine fault tolerance", OSDI 1999). Each message
carries an authenticator, which takes time to make and to check.

A vote is about the whole log of its view up to a position, of which it carries a digest; so a later
vote makes up for a lost one, and who has accepted something else is not counted. Log positions are
kept in a window and replicas that lack some fetch them from any other, so no checkpoints are voted
on; that, and view changes without proofs (`pbft_views`), trusts replicas not to lie about the past.
"""

from simulator.history import APPLIED, LED, RESUMED
from simulator.protocols.pbft_views import FILLING, NORMAL, PrePrepare
from simulator.protocols.pbft_votes import PbftVotes
from simulator.protocols.protocol import (
    Boot,
    Message,
    Parameter,
    PerOperation,
    Phase,
    Start,
    message,
    on,
)
from simulator.protocols.register_log import Fetch

MASKED = 62


@message
class Request(Message):
    """A client's operation."""

    content: int


@message
class Reply(Message):
    """The result of an operation, from one replica."""

    result: int


@message
class Status(Message):
    """A replica in view `op` has executed up to a position."""

    position: int


@message
class Note(Message):
    """The answer to a status: another replica in view `op` has executed up to a position."""

    position: int


@message
class Retry(Message):
    """Too few replies for too long."""

    item: int
    value: int
    write: int


@message
class Tick(Message):
    """Time to compare with others."""


class Pbft(PbftVotes):
    """One replica, and the client at its place.

    `idle` counts the ticks for which an operation has waited that a client complained about;
    `asked` is the last position that was asked for because a later one was proposed.
    `votes` and `voters` count the replies of an operation that agree with `guess`; one that differs
    takes a vote off, so that f liars never count f + 1. `timeout_ps` is the time between two ticks
    (default: two rounds), `authenticate_ps` that of making or checking an authenticator.
    """

    name = "pbft"
    starts = "client"
    reports = "one"
    options = frozenset({"reads_per_mille", "items"})
    promises = (
        "integrity", "prefix", "leadership", "linearizability", "resumption", "durability",
        "termination", "liveness",
    )  # fmt: skip
    phases = (Phase("executed", APPLIED, "first"), Phase("applied", APPLIED, "last"))
    endless = True
    survives = frozenset({"crash", "power", "slow", "delay", "loss", "partition"})

    least_entries = 2

    timeout_ps: Parameter
    idle: int
    probe: int
    asked: int
    votes: PerOperation
    voters: PerOperation
    guess: PerOperation

    # clients

    @on(Start)
    def start(self, m: Start) -> None:
        """Bring an operation to the primary."""
        slot = self.slot(m.op)
        self.waiting[slot] = m.op + 1
        self.votes[slot] = 0
        self.voters[slot] = 0
        self.wait_for(m.op, m.item, m.value, m.write)
        self.work(self.authenticate_ps)
        if self.primary(self.view) == self.me:
            self.admit(m.op, self.packed(m.item, m.value, m.write))
        else:
            content = self.packed(m.item, m.value, m.write)
            self.send(self.primary(self.view), Request(m.op, content))

    def wait_for(self, op: int, item: int, value: int, write: int) -> None:
        """Complain some time later."""
        self.timer(4 * self.pause(), Retry(op, item, value, write))

    @on(Retry)
    def retry(self, m: Retry) -> None:
        """Tell all replicas, so that they watch the primary."""
        if self.waiting[self.slot(m.op)] != m.op + 1:
            return
        self.wait_for(m.op, m.item, m.value, m.write)
        content = self.packed(m.item, m.value, m.write)
        for member in range(self.count):
            if member != self.me:
                self.work(self.authenticate_ps)
                self.send(member, Request(m.op, content))
        self.demand(m.op, content)

    @on(Reply)
    def replied(self, m: Reply) -> None:
        """Count a reply."""
        self.work(self.authenticate_ps)
        self.believe(m.op, m.result, m.source)

    def believe(self, op: int, result: int, replica: int) -> None:
        """End an operation when f + 1 replicas agree on its result."""
        slot = self.slot(op)
        if self.waiting[slot] != op + 1:
            return
        if self.count <= MASKED:
            if self.voters[slot] >> replica & 1:
                return
            self.voters[slot] |= 1 << replica
        if self.votes[slot] == 0:
            self.guess[slot] = result
        self.votes[slot] += 1 if self.guess[slot] == result else -1
        if self.votes[slot] > self.faulty():
            self.finish(op, result)

    def applied(self, op: int, client: int) -> None:
        """Answer the client, unless this replica does not run again yet."""
        if self.away == 0:
            self.reply(op, client, self.answer[self.slot(op)])

    def reply(self, op: int, client: int, result: int) -> None:
        """Send a result to a client."""
        if client == self.me:
            self.believe(op, result, self.me)
        else:
            self.work(self.authenticate_ps)
            self.send(client, Reply(op, result))

    # three phases

    @on(Request)
    def request(self, m: Request) -> None:
        """Take a client's operation."""
        self.work(self.authenticate_ps)
        self.demand(m.op, m.content)

    def demand(self, op: int, content: int) -> None:
        """Answer what is known; as the primary, propose it; else expect that it is executed."""
        if self.knows(op) == 1:
            self.applied(op, content // 2 % self.count)
        elif self.primary(self.view) == self.me:
            self.admit(op, content)
        elif self.owed == 0:
            self.owed = op + 1
            self.idle = 0

    def admit(self, op: int, content: int) -> None:
        """Give an operation the next position, unless it has one."""
        if self.stage != NORMAL or self.knows(op) == 1:
            return
        if self.last - self.learned >= self.entries - 1:
            return
        for position in range(self.learned + 1, self.last + 1):
            if self.ops[position % self.entries] == op:
                return
        self.last += 1
        self.store(self.last, op, content)
        self.chain(self.last)
        self.put_forward(self.last)
        self.note_own()
        self.count_votes()

    def put_forward(self, position: int) -> None:
        """Propose the entry of a position to all."""
        at = position % self.entries
        for member in range(self.count):
            if member != self.me:
                self.work(self.authenticate_ps)
                self.send(member, PrePrepare(self.ops[at], self.view, position, self.contents[at]))

    @on(PrePrepare)
    def pre_prepare(self, m: PrePrepare) -> None:
        """Accept the next proposal of the primary, or the next one of a new view's log."""
        self.work(self.authenticate_ps)
        if m.view != self.view or m.source != self.primary(m.view):
            return
        if self.stage == FILLING:
            before = self.filled
            self.fill_in(m.op, m.position, m.content)
            if self.filled > before:
                self.take_part()
        elif self.stage == NORMAL and m.position == self.last + 1 and self.dirty == 0:
            if self.last - self.learned >= self.entries - 1:
                return
            self.store(m.position, m.op, m.content)
            self.last += 1
            self.chain(self.last)
            self.vote()
        elif self.stage == NORMAL and m.position > self.last + 1:
            self.ask_between(m.source)

    def ask_between(self, primary: int) -> None:
        """Ask, once for each position, for what was proposed before that which came."""
        if self.asked <= self.last:
            self.asked = self.last + 1
            self.work(self.authenticate_ps)
            self.send(primary, Fetch(self.lacking()))

    def fill_in(self, op: int, position: int, content: int) -> None:
        """Take an entry of a new view's log and go on with its digest."""
        if position == self.filled + 1 and self.dirty == 0:
            at = position % self.entries
            if position <= self.prepared and self.ops[at] != op:
                self.prepared = position - 1
            self.store(position, op, content)
            self.chain(position)
            self.filled = position

    # time

    def pause(self) -> int:
        """Return the picoseconds between two ticks: two rounds, each message authenticated."""
        if self.timeout_ps > 0:
            return self.timeout_ps
        return 2 * (self.round_ps + 4 * self.count * self.authenticate_ps)

    @on(Boot)
    def boot(self, m: Boot) -> None:
        """Begin to watch; the root is the primary of view 0."""
        if self.view == 0 and self.me == self.root:
            self.started = 1
            self.record(0, LED)
        self.timer(self.pause(), Tick(0))

    @on(Tick)
    def tick(self, m: Tick) -> None:
        """Compare with another replica; say again what may be lost; suspect the primary."""
        self.timer(self.pause(), Tick(0))
        if self.count > 1:
            self.probe = (self.probe + 1) % (self.count - 1)
            peer = (self.me + 1 + self.probe) % self.count
            self.work(self.authenticate_ps)
            self.send(peer, Status(self.view, self.lacking()))
        if self.owed > 0 and self.knows(self.owed - 1) == 1:
            self.owed = 0
        if self.stage != NORMAL:
            self.wait_for_view()
        elif self.owed > 0 and self.idle > self.patience():
            self.idle = 0
            self.change_to(self.view + 1)
        else:
            self.idle += 1 if self.owed > 0 else 0
            self.say_again()

    def wait_for_view(self) -> None:
        """Ask again; go on to the next view where a quorum waits for this one in vain."""
        self.age += 1
        waiting = 0
        for member in range(self.count):
            if self.wants[member] >= self.view:
                waiting += 1
        self.wants[self.me] = self.view
        self.claim_view[self.me] = self.prepared_view
        self.claim_at[self.me] = self.prepared
        if self.age > 2 * self.patience() and waiting >= self.quorum():
            self.change_to(self.view + 1)
        else:
            self.lender = 0
            self.ask_for_view()
            self.collect()

    def say_again(self) -> None:
        """Send once more what was not executed yet."""
        if self.last > self.learned:
            if self.primary(self.view) == self.me:
                for position in range(self.learned + 1, self.last + 1):
                    self.put_forward(position)
            self.vote()
            if self.prepared_view == self.view and self.prepared > self.learned:
                self.say_prepared()

    @on(Status)
    def status(self, m: Status) -> None:
        """Tell another replica the view, and send what it lacks."""
        self.work(self.authenticate_ps)
        self.send(m.source, Note(self.view, self.learned))
        if m.position < self.learned:
            self.serve(m.source, m.position)

    @on(Note)
    def note(self, m: Note) -> None:
        """Wait to be let into a later view; run again where nothing is lacking."""
        self.work(self.authenticate_ps)
        if m.op > self.view:
            self.change_to(m.op)
        if self.away == 1 and self.dirty == 0 and m.position <= self.learned:
            self.away = 0
            self.record(0, RESUMED, self.learned)
            self.count_votes()

    def come_back(self) -> None:
        """Keep what was promised; run when another replica has nothing more."""
        self.away = 1
        self.timer(self.pause(), Tick(0))
        if self.count == 1:
            self.away = 0
            self.record(0, RESUMED, self.learned)
        else:
            self.send((self.me + 1) % self.count, Status(self.view, self.lacking()))
