"""A member that was away, whatever the reason, and has to catch up before it runs again."""

from simulator.protocols.protocol import PowerUp, Protocol, Restart, on


class Returning(Protocol):
    """A member that comes back in the same way after a crash and after a power-down."""

    def come_back(self) -> None:
        """Find out what has happened meanwhile; of the classes that inherit."""

    @on(Restart)
    def restart(self, m: Restart) -> None:
        """Come back after a crash: the fields survived, the timers did not."""
        self.come_back()

    @on(PowerUp)
    def power_up(self, m: PowerUp) -> None:
        """Come back after a power-down: the fields are as old as that."""
        self.come_back()
