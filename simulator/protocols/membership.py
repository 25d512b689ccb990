"""Group membership and leader election under hot-plug: all agree on each view, change by change.

A view is a number and a set of members; the next one differs by one member. The most senior member
of a view is its leader. It proposes a change to the members of the view; when a majority of them
has accepted, the change is decided, and all are told. A member that hears nothing of the leader
for too long interrogates the others, finishes what a majority may have accepted, else proposes to
remove the leader. That is the group membership protocol of A. Ricciardi, K. Birman, "Using process
groups to implement failure detection in asynchronous environments", PODC 1991 (update in two
phases, reconfiguration in three), with numbered ballots, so that reconfigurations may be repeated.
A majority of the old view has to accept, so no two groups exist side by side.

An operation asks for one change: a member leaves if it is in, and joins if it is not. It asks about
one view, so it is decided there or never; whoever learns of the next view asks again if need be. A
member joins when it has all views, and says so. Messages go directly from member to member: the
tree may hang on those who have gone.
"""

from simulator.history import ABORT, APPLIED
from simulator.protocols.membership_agreement import IDLE, Agreement, Beat
from simulator.protocols.membership_views import NOBODY, Fetch, Here
from simulator.protocols.protocol import (
    Boot,
    Message,
    Parameter,
    PerOperation,
    Phase,
    PowerDown,
    Start,
    message,
    on,
)

PATIENCE = 3


@message
class Propose(Message):
    """Asks the leader of a view for a change: `who` is member * count + client."""

    view: int
    who: int


@message
class Welcome(Message):
    """Asks one that is to join whether it has all views up to this one."""

    view: int
    who: int


@message
class Ready(Message):
    """It has, and may join."""

    view: int
    who: int


@message
class Tick(Message):
    """A quarter of the time has passed after which somebody silent is suspected."""


class Membership(Agreement):
    """One member, in or out of the view that it knows.

    `target` is the member that a pending operation is about, `silence` how many beats ago somebody
    was heard, `probe` whom a member out of the view asks next. `timeout_ps` is the time between two
    beats of the leader (default: two rounds); somebody silent for four of them is suspected.
    """

    name = "membership"
    starts = "client"
    reports = "one"
    promises = (
        "integrity", "prefix", "views", "leadership", "resumption", "termination", "liveness",
    )  # fmt: skip
    phases = (Phase("installed", APPLIED, "first"),)
    endless = True
    survives = frozenset({"crash", "power", "slow", "delay", "loss", "partition"})

    timeout_ps: Parameter
    target: PerOperation
    probe: int

    # operations

    @on(Start)
    def start(self, m: Start) -> None:
        """Ask for a change until it is decided."""
        if self.count == 1:
            self.done(m.op, ABORT)
            return
        slot = self.slot(m.op)
        self.pending[slot] = m.op + 1
        self.target[slot] = m.value % self.count
        self.asking += 1
        if self.asking == 1:
            self.ask(slot)

    def ask(self, slot: int) -> None:
        """Ask the leader for a change, unless it would leave nobody in."""
        member = self.target[slot]
        if self.since[member] >= 0 and self.gone == self.count - 1:
            member = (member + 1) % self.count
        self.propose(self.pending[slot] - 1, member * self.count + self.me)

    def ask_oldest(self, onwards: int) -> None:
        """Ask for the oldest change that is pending; `onwards` tries the next member instead."""
        if self.asking > 0:
            oldest = NOBODY
            for slot in range(self.window):
                if self.pending[slot] > 0 and (
                    oldest < 0 or self.pending[slot] < self.pending[oldest]
                ):
                    oldest = slot
            self.target[oldest] = (self.target[oldest] + onwards) % self.count
            self.ask(oldest)

    def propose(self, op: int, who: int) -> None:
        """Bring a wish before the leader."""
        if self.head() == self.me:
            self.consider(op, who)
        else:
            self.send(self.head(), Propose(op, self.view, who))

    @on(Propose)
    def wish(self, m: Propose) -> None:
        """Consider a wish about the present view; the leader may wish to be removed itself."""
        if self.current(m.view, m.source) == 0:
            return
        if self.head() == self.me:
            self.consider(m.op, m.who)
        elif m.source == self.head() and self.since[self.me] >= 0 and self.stage == IDLE:
            self.interrogate()

    def consider(self, op: int, who: int) -> None:
        """Let one that is in leave; invite one that is out."""
        member = who // self.count
        if self.since[member] >= 0:
            self.begin(op, who)
        elif member != self.me:
            self.send(member, Welcome(op, self.view, who))

    @on(Welcome)
    def welcome(self, m: Welcome) -> None:
        """Say that all views are here, or fetch them."""
        if self.current(m.view, m.source) == 1:
            self.send(m.source, Ready(m.op, m.view, m.who))

    @on(Ready)
    def ready(self, m: Ready) -> None:
        """Let one join that has all views."""
        if (
            self.current(m.view, m.source) == 1
            and self.head() == self.me
            and self.since[m.who // self.count] < 0
        ):
            self.begin(m.op, m.who)

    # who is alive

    @on(Boot)
    def boot(self, m: Boot) -> None:
        """Begin to watch the others."""
        self.show()
        self.wait()

    def come_back(self) -> None:
        """Go on with what was promised and accepted; count as a member only when up to date."""
        self.away = 1
        self.stage = IDLE
        self.wait()
        self.look_around()

    @on(PowerDown)
    def power_down(self, m: PowerDown) -> None:
        """Leave before the power goes; the leader asks the next in line to remove it."""
        if self.since[self.me] < 0 or self.gone == self.count - 1:
            return
        peer = self.head()
        if peer == self.me:
            peer = self.successor()
        self.send(peer, Propose(NOBODY, self.view, self.me * self.count + self.me))

    def wait(self) -> None:
        """Set the timer."""
        self.timer(self.timeout_ps if self.timeout_ps > 0 else 2 * self.round_ps, Tick(0))

    @on(Tick)
    def tick(self, m: Tick) -> None:
        """Watch, ask again, and show to be alive."""
        self.wait()
        self.ask_oldest(1)
        if self.since[self.me] < 0:
            self.look_around()
            if self.exiled == 0:
                who = self.me * self.count + self.me
                self.send(self.head(), Ready(NOBODY, self.view, who))
        elif self.head() == self.me:
            self.lead()
        else:
            self.follow()

    def look_around(self) -> None:
        """Ask one other member after the other for news."""
        if self.count > 1:
            self.probe = (self.probe + 1) % (self.count - 1)
            self.send((self.me + 1 + self.probe) % self.count, Fetch(0, self.view))

    def lead(self) -> None:
        """Beat; try again what hangs; propose to remove one that was silent for too long."""
        if self.gone == self.count - 1:
            self.resume()
        suspect = NOBODY
        for member in range(self.count):
            if member != self.me and self.since[member] >= 0:
                self.send(member, Beat(0, self.view))
                if self.silence[member] <= PATIENCE:
                    self.silence[member] += 1
                else:
                    suspect = member
        if self.trying > 0:
            self.try_again()
        elif suspect >= 0:
            self.begin(NOBODY, suspect * self.count + self.me)

    def follow(self) -> None:
        """Interrogate the others where the leader is silent, the next in line first."""
        head = self.head()
        self.silence[head] += 1
        if self.trying > 0 and self.silence[head] > PATIENCE:
            self.try_again()
        elif self.silence[head] > 3 * PATIENCE or (
            self.silence[head] > PATIENCE and self.successor() == self.me
        ):
            self.silence[head] = self.random(PATIENCE)
            self.look_around()
            self.interrogate()

    def try_again(self) -> None:
        """Interrogate anew where answers have been missing for some ticks."""
        self.age += 1
        if self.age > 1 + self.random(3):
            self.interrogate()

    @on(Beat)
    def beat(self, m: Beat) -> None:
        """Hear that the leader is alive."""
        self.silence[m.source] = 0
        self.send(m.source, Here(0, self.view))
        if m.view > self.view:
            self.send(m.source, Fetch(0, self.view))
        elif m.view == self.view:
            self.resume()

    @on(Here)
    def here(self, m: Here) -> None:
        """Hear that a member is alive, and bring it up to date where it lags behind."""
        self.silence[m.source] = 0
        if self.current(m.view, m.source) == 1:
            self.resume()
