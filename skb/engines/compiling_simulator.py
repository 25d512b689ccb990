"""The compiled engine of the simulator: where it is kept, and when it is made.

It is made in a second or less, so a run that takes much longer without it waits for that; `skb
warm` makes it for all protocols ahead.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from skb.errors import SkbError
from skb.resources import cache_folder

if TYPE_CHECKING:
    from simulator import Scenario

_lock = threading.Lock()


def folder_for(scenario: Scenario) -> str:
    """Return the folder of compiled engines for a run, empty where it has to be the plain one.

    Loads what a long run will use, so that threads do not load it twice; compiles it before a very
    long one where it is not there.
    """
    from simulator.engines import COMPILING, WORTH, player
    from simulator.lowering import LoweringError
    from simulator.protocols import require_protocol

    work = scenario.operations * len(scenario.tree.members)
    if scenario.engine == "plain" or (scenario.engine == "auto" and work < WORTH):
        return ""
    found, protocol = folder(), require_protocol(scenario.protocol)
    with _lock:
        if scenario.engine == "auto" and (work < COMPILING or not found):
            player(protocol, "auto", found, work)
            return found
        try:
            player(protocol, "compiled", found)
        except LoweringError:
            # the run itself says what is wrong, where it was asked for
            return ""
    return found


@cache
def folder() -> str:
    """Return the folder for the compiled engine; empty where numba is missing or none can be."""
    from simulator.compiled import fingerprint
    from skb.engines.compiling import usable

    if not usable():
        return ""
    return cache_folder(f"simulator-{fingerprint()}", os.environ.get("NUMBA_CACHE_DIR"))


def compile_now(protocols: Sequence[str] = ()) -> float:
    """Compile the kernel and protocols, all unless some are named; return the seconds it took.

    Raises `SkbError` where numba is missing or nothing can be kept.
    """
    from simulator import SimulatorError
    from simulator.engines import player
    from simulator.protocols import PROTOCOLS

    begun = time.monotonic()
    found = folder()
    if not found:
        raise SkbError("the simulator stays with its plain engine: nothing compiled can be kept")
    try:
        with _lock:
            for name in protocols or PROTOCOLS:
                player(PROTOCOLS[name], "compiled", found)
    except SimulatorError as fault:
        raise SkbError(str(fault)) from fault
    return time.monotonic() - begun
