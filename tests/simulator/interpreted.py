"""The compiled engine without a compiler: kernel and lowered protocol as plain Python.

Whatever machine code would do unseen is an error here: an index below zero or behind the end of an
array, a number that does not fit 64 bits.
"""

from typing import Any

import numpy as np

from simulator import kernel
from simulator.compiled_run import play
from simulator.kernel_columns import Arrays
from simulator.lowering import lowered
from simulator.playing import Played, Player, Progress, Setting
from simulator.protocols.protocol import Protocol

LARGEST = 1 << 63


class Words:
    """An array of 64-bit integers that refuses what numpy would not notice."""

    def __init__(self, array: Any) -> None:
        self.shape: tuple[int, ...] = array.shape
        self.rows: Any = array.tolist()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice) or (isinstance(at, tuple) and slice in map(type, at)):
            return np.array(self.rows, dtype=np.int64).reshape(self.shape)[at]
        row = self.rows
        for place in at if isinstance(at, tuple) else (at,):
            assert place >= 0, at
            row = row[place]
        return row

    def __setitem__(self, at: Any, value: int) -> None:
        row, places = self.rows, at if isinstance(at, tuple) else (at,)
        assert -LARGEST <= value < LARGEST, value
        for place in places[:-1]:
            assert place >= 0, at
            row = row[place]
        assert 0 <= places[-1] < len(row), at
        row[places[-1]] = int(value)


def entry_of(text: str) -> Any:
    """Return the entry of a lowered module, not compiled."""
    names: dict[str, Any] = {}
    exec(text, names)
    return names["dispatch"]


def interpreter(protocol: type[Protocol]) -> Player:
    """Return what runs a setting on the kernel in plain Python."""
    entry = entry_of(lowered(protocol).text)

    def played(setting: Setting, progress: Progress | None = None) -> Played:
        return play(setting, kernel.run, entry, progress, lambda w: Arrays(*map(Words, w)))

    return played
