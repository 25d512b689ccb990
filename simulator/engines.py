"""Which engine a run takes: the plain one, or the compiled one where that is worth it and there."""

from __future__ import annotations

from typing import Literal

from simulator.lowering import LoweringError
from simulator.playing import Played, Player, Progress, Setting, play
from simulator.protocols.protocol import Protocol

EngineName = Literal["auto", "plain", "compiled"]
ENGINES: tuple[EngineName, ...] = ("auto", "plain", "compiled")

WORTH = 20_000
"""Operations times members from which on a run is longer than the compiled engine takes to load."""
COMPILING = 200_000
"""The same for a run that is longer than it takes to compile, which is a second."""

_players: dict[tuple[type[Protocol], str], Player] = {}


def player(
    protocol: type[Protocol], engine: EngineName = "auto", folder: str = "", work: int = WORTH
) -> Player:
    """Return what runs a protocol on an engine; the results are the same.

    "auto" takes the compiled engine where `folder` has it or this process has it at hand, and
    `work` (operations times members) is worth it; it never compiles. "compiled" does, which takes
    a second, and raises `NotCompiledError` without llvmlite and `LoweringError` for a protocol that
    is not within the notation.
    """
    known = _players.get((protocol, folder))
    if engine == "plain" or (known is None and engine == "auto" and work < WORTH):
        return play
    if known is not None:
        return known
    from simulator.compiled import NotCompiledError, compiled, marked

    try:
        if engine == "auto" and not marked(protocol, folder):
            return play
        run, dispatch = compiled(protocol, folder)
    except (NotCompiledError, LoweringError):
        if engine == "compiled":
            raise
        return play

    from simulator.compiled_run import play as play_compiled

    def played(setting: Setting, progress: Progress | None) -> Played:
        return play_compiled(setting, run, dispatch, progress)

    _players[protocol, folder] = played
    return played
