"""What binds an answer to pci beside the tree: taken addresses, pins, and pins that cannot be."""

from __future__ import annotations

from itertools import pairwise

from skb.decision import Assumption, Reason
from skb.engines.pci_tree import LOW, Root
from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.pci_instance import (
    IO,
    MEMORY,
    Instance,
    Taken,
    amount,
    bare_instance,
    window_words,
)
from skb.questions.pci_request import PciRequest, number
from skb.questions.pci_tree_facts import USB_CLASS, Register

IO_APIC_PAGE = 4096


def instance(machine: Machine, request: PciRequest) -> Instance:
    """Read what is asked; raise `RequestError` for what is wrong."""
    made = bare_instance(machine, request)
    made.taken = _taken(machine, request)
    _pins(made)
    return made


def _taken(machine: Machine, request: PciRequest) -> tuple[Taken, ...]:
    found: dict[tuple[int, int, str], Taken] = {}
    for fact in machine.facts_of("ioapic"):
        base = int(str(fact.args[1]))
        text = f"the registers of I/O APIC {fact.args[0]}"
        found[base, base + IO_APIC_PAGE, MEMORY] = Taken(base, base + IO_APIC_PAGE, text, MEMORY)
    for fact in machine.facts_of("reserved_range"):
        base, size = int(str(fact.args[1])), int(str(fact.args[2]))
        text = f"{fact.args[3]} of {fact.args[0]}"
        found.setdefault((base, base + size, MEMORY), Taken(base, base + size, text, MEMORY))
    for at, row in enumerate(request.reserved):
        base = number(row.base, f"$.reserved[{at}].base")
        size = number(row.size, f"$.reserved[{at}].size")
        if size:
            key = (base, base + size, row.space)
            found.setdefault(key, Taken(base, base + size, row.what, row.space))
    return tuple(sorted(found.values(), key=lambda t: (t.domain, t.low, t.high)))


def _pins(made: Instance) -> None:
    """Read the pins of the request and those of the kinds of registers that stay."""
    tree, request = made.tree, made.request
    asked = {(r.pci, r.index): r for group in made.groups for r in made.asked(group)}
    for at, row in enumerate(request.pin):
        place = f"$.pin[{at}]"
        pci = tree.find(row.pci, f"{place}.pci")
        register = asked.get((pci, row.bar))
        if register is None:
            known = [str(r.index) for r in tree.registers.values() if r.pci == pci]
            raise RequestError(
                f"{pci} has no register {row.bar} that is asked about",
                place=f"pci request {place}.bar",
                mend=f"it has {', '.join(known)}" if known else "it has none",
            )
        if (row.base is None) == (row.keep is None):
            raise RequestError(
                "a pin has either base or keep",
                place=f"pci request {place}",
                mend='give base = "0x…", or keep = "current"',
            )
        base = register.base if row.base is None else number(row.base, f"{place}.base")
        if base is None:
            raise RequestError(
                f"no fact states an address of {register.name} that it can have",
                place=f"pci request {place}.keep",
                mend="give base",
            )
        if made.pins.get((pci, row.bar), (base,))[0] != base:
            raise RequestError(
                f"{register.name} is pinned at two addresses",
                place=f"pci request {place}",
                mend="leave one of its rows out",
            )
        made.pins[pci, row.bar] = (base, "the request pins it")
    for (pci, index), register in asked.items():
        why = _kept(made, register)
        if why and register.base is not None and (pci, index) not in made.pins:
            inside = any(
                root.base <= register.base and register.base + register.size <= root.end
                for group in made.groups
                for root in group.roots
            )
            if inside:
                made.pins[pci, index] = (register.base, why)
                if why != _ALL:
                    text = f"{register.name} stays at {register.base:#x}"
                    made.assumed.append(Assumption(text, why))
            else:
                made.warnings.append(f"{register.name} is outside the windows now; it may move")
    _own_pages(made)


_ALL = "the request keeps all addresses"


def _kept(made: Instance, register: Register) -> str:
    keep = made.request.keep
    if "all" in keep:
        return _ALL
    fact = made.machine.fact("pci_id", register.pci)
    if "usb" in keep and fact is not None and str(fact.args[1]).lower().zfill(4) == USB_CLASS:
        return "firmware may drive a USB controller where it is (keep)"
    if "ioapic" in keep and register.base is not None and register.space != IO:
        for each in made.taken:
            if each.text.startswith("the registers of I/O APIC") and (
                register.base <= each.low and each.high <= register.base + max(register.size, 4096)
            ):
                return f"it holds {each.text} (keep)"
    return ""


def _own_pages(made: Instance) -> None:
    """An I/O APIC's page inside a register that stays there is no obstacle for it."""
    inside = [
        (base, base + max(made.tree.registers[key].size, IO_APIC_PAGE))
        for key, (base, why) in made.pins.items()
        if why.startswith("it holds")
    ]
    made.taken = tuple(
        each
        for each in made.taken
        if not any(low <= each.low and each.high <= high for low, high in inside)
    )


def conflicts(made: Instance) -> list[Reason]:
    """Return why a pin cannot be where it must, with what is in its way; empty where all can."""
    rows: list[tuple[int, int, Register, str, str]] = []
    for group in made.groups:
        for register in made.asked(group):
            pin = made.pins.get((register.pci, register.index))
            if pin is None:
                continue
            base, why = pin
            end = base + register.size
            told = pin_reason(register, base, why)
            if base % register.size:
                text = f"a register of {register.size} bytes lies at a multiple of its size"
                return [told, Reason("align", text, (register.pci,))]
            if register.low and end > LOW:
                text = f"{register.name} has 32 bits: it ends below 4 GiB"
                return [told, Reason("low", text, (register.pci,))]
            roots = [r for r in group.roots if register.space in r.spaces]
            if not any(root.base <= base and end <= root.end for root in roots):
                return [told, *map(window_reason, roots)]
            for each in made.taken_in(group):
                if each.low < end and base < each.high:
                    return [told, taken_reason(each)]
            rows.append((base, end, register, why, group.domain))
    rows.sort(key=lambda row: (row[4], row[0]))
    for first, second in pairwise(rows):
        if first[4] == second[4] and second[0] < first[1]:
            return [pin_reason(row[2], row[0], row[3]) for row in (first, second)]
    return []


def pin_reason(register: Register, base: int, why: str) -> Reason:
    text = f"{register.name} ({amount(register.size)}) must lie at {base:#x}: {why}"
    return Reason(f"pin:{register.name}", text, (register.pci,))


def taken_reason(each: Taken) -> Reason:
    text = f"{each.low:#x} to {each.high - 1:#x} is taken: {each.text}"
    return Reason(each.id, text)


def window_reason(root: Root) -> Reason:
    text = f"{window_words(root)} has {amount(root.end - root.base)}"
    return Reason(f"window:{root.name}:{root.base:#x}", text, (root.name,))
