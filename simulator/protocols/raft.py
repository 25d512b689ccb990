"""Raft: one leader per term, elected by a majority, whose log the others take over.

D. Ongaro, J. Ousterhout, "In search of an understandable consensus algorithm", USENIX ATC 2014. A
member votes once in a term, and only for one whose log is as late as its own (election
restriction), so that every leader has all that is committed. A leader counts who has an entry of
its own term; with that entry all before it are committed. It begins its term with an entry that
nobody asked for, so that it need not wait for one.

The consistency check of the paper is done once per term: a member vouches at first for what it has
applied, which every later leader has too, and from there takes the leader's entries one after the
other. An own entry of another term gives way, with all behind it.
"""

from simulator.protocols.logged_registers import CANDIDATE, NOTHING
from simulator.protocols.protocol import Message, message, on
from simulator.protocols.replicated_log import ReplicatedLog


@message
class Canvass(Message):
    """Asks for a vote in term `op`; says where the candidate's log ends."""

    last: int
    stamp: int


@message
class Vote(Message):
    """A vote in term `op`, or, not `granted`, the term of a member that is ahead."""

    granted: int


class Raft(ReplicatedLog):
    """One member; `vote` is the candidate it chose in this term, plus 1, `votes` those it got."""

    name = "raft"
    promises = (
        "integrity",
        "prefix",
        "leadership",
        "linearizability",
        "resumption",
        "durability",
        "termination",
        "liveness",
    )

    vote: int
    votes: int

    def adopt(self, term: int) -> None:
        """Go on to a later term, in which nobody has this member's vote yet."""
        self.follow(term)
        self.vote = 0
        self.votes = 0

    def stand(self) -> None:
        """Begin a term and ask all for their votes."""
        self.adopt(self.term + 1)
        self.role = CANDIDATE
        self.vote = self.me + 1
        self.count_vote()
        if self.role == CANDIDATE:
            stamp = self.stamps[self.last % self.entries]
            for peer in range(self.count):
                if peer != self.me:
                    self.send(peer, Canvass(self.term, self.last, stamp))

    @on(Canvass)
    def canvass(self, m: Canvass) -> None:
        """Vote for a candidate whose log is as late as the own one, if the vote is not given."""
        if m.op > self.term:
            self.adopt(m.op)
        if m.op < self.term:
            self.send(m.source, Vote(self.term, 0))
        elif self.free_for(m.source) == 1 and self.as_late(m.last, m.stamp) == 1:
            self.vote = m.source + 1
            self.heard_ps = self.now
            self.send(m.source, Vote(self.term, 1))

    def free_for(self, candidate: int) -> int:
        """Return 1 where the vote of this term is not given to another one."""
        return 1 if self.vote == 0 or self.vote == candidate + 1 else 0

    def as_late(self, last: int, stamp: int) -> int:
        """Return 1 where a log that ends like this has all that the own one may have committed."""
        own = self.stamps[self.last % self.entries]
        return 1 if stamp > own or (stamp == own and last >= self.last) else 0

    @on(Vote)
    def voted(self, m: Vote) -> None:
        """Count a vote."""
        if m.op > self.term:
            self.adopt(m.op)
        elif m.op == self.term and m.granted == 1 and self.role == CANDIDATE:
            self.count_vote()

    def count_vote(self) -> None:
        """Lead with a majority."""
        self.votes += 1
        if self.votes > self.count // 2:
            self.votes = 0
            self.lead()

    def lead(self) -> None:
        """Become the leader, and begin the term with an entry of its own."""
        self.take_over()
        self.beat_all()
        if self.room(0) == 1:
            self.add(NOTHING, 0)
        else:
            # the log is full of what earlier leaders left: the last entry becomes one of this term,
            # with the same operation, as Paxos would propose it again
            self.stamps[self.last % self.entries] = self.term + 1
        if self.away == 1:
            self.mark = self.last
        self.push()

    def counts(self, position: int) -> int:
        """Return 1 for an entry of the own term: older ones are committed with it, never alone."""
        return 1 if self.stamps[position % self.entries] == self.term + 1 else 0

    def take(self, op: int, position: int, stamp: int, content: int) -> None:
        """Take the next entry; one of another term in its place gives way with all behind it."""
        if position != self.match + 1 or position - self.entries > self.applied:
            return
        if position > self.last or self.stamps[position % self.entries] != stamp:
            self.last = position
            self.write(op, position, stamp, content)
        self.match = position

    def covers(self, position: int, stamp: int) -> int:
        """Return 1 where the own log has the very entry: then it has the same ones before it.

        What the leader of this term has at a committed position is committed too, whatever its
        stamp.
        """
        if position <= self.match:
            return 1
        if position <= self.base or position > self.last:
            return 0
        return 1 if self.stamps[position % self.entries] == stamp else 0

    def cut(self, position: int, stamp: int) -> None:
        """Keep what stands behind the position only where the log agrees up to there."""
        if position <= self.match:
            return
        if position > self.last or self.stamps[position % self.entries] != stamp:
            self.last = position
            self.stamps[position % self.entries] = stamp
        self.match = position
