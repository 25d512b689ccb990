"""Who reads (or writes) a flow's packets: a PU, one of several, a task, or the memory of a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skb.errors import RequestError
from skb.machine import Machine, kind_of

ConsumerName = int | str | list[int | str]


@dataclass(frozen=True, slots=True)
class Task:
    """A task that flows may share: its candidate PUs and the share of a PU that it takes."""

    name: str
    pus: tuple[int, ...]
    load: float


@dataclass(frozen=True, slots=True)
class Consumer:
    """What a request names: candidate PUs in order (none: nobody reads), or a GPU, or a task.

    `free` says that the PU is ours to choose, so that it carries a load.
    """

    pus: tuple[int, ...] = ()
    gpu: str = ""
    task: str = ""
    free: bool = False


def consumer_of(
    given: ConsumerName | None, machine: Machine, tasks: Mapping[str, Task], place: str
) -> Consumer:
    """Return who consumes; raise `RequestError` for what is no PU, part, GPU or task."""
    if given is None or given == "none":
        return Consumer()
    if isinstance(given, list):
        return Consumer(pus=candidates(given, machine, place), free=True)
    text = str(given)
    if text in tasks:
        return Consumer(pus=tasks[text].pus, task=text, free=True)
    if text == "any":
        return Consumer(pus=machine.usable_pus, free=True)
    number = text.removeprefix("pu:")
    if number.isascii() and number.isdigit():
        return Consumer(pus=(_pu(int(number), machine, place),))
    if kind_of(text) in {"device", "pci"} and ":" in text:
        return Consumer(gpu=_gpu(text, machine, place))
    return Consumer(pus=candidates([text], machine, place), free=True)


def candidates(given: Sequence[int | str], machine: Machine, place: str) -> tuple[int, ...]:
    """Return the PUs of a list of PUs and parts, each once, in order."""
    found: dict[int, None] = {}
    for one in given:
        text = str(one)
        number = text.removeprefix("pu:")
        if number.isascii() and number.isdigit():
            found[_pu(int(number), machine, place)] = None
            continue
        inside = machine.pus_of(text) if machine.has(text) else frozenset()
        if not inside or kind_of(text) == "device":
            raise RequestError(
                f"consumer {text!r} is not a PU",
                place=place,
                mend='give a PU such as 5 or "pu:5", a part such as "package:1", a list of them,'
                ' "any", "none", a GPU such as "device:gpu0", or the name of a [[task]]',
            )
        found.update(dict.fromkeys(sorted(inside)))
    if not found:
        raise RequestError("the consumer's list is empty", place=place, mend="name a PU")
    return tuple(found)


def _pu(number: int, machine: Machine, place: str) -> int:
    if not machine.has(f"pu:{number}"):
        raise RequestError(
            f"{machine.name} has no pu:{number}",
            place=place,
            mend=f"it has PUs {min(machine.pus, default=0)} to {max(machine.pus, default=0)}",
        )
    return number


def _gpu(name: str, machine: Machine, place: str) -> str:
    if not machine.has(name):
        have = ", ".join(machine.of_device_kind("gpu")[:20])
        raise RequestError(
            f"{machine.name} has no {name}",
            place=place,
            mend=f"its GPUs are {have}" if have else "it describes no GPU",
        )
    return name
