"""What of the steering that is in force a plan changes: masks by device and queue."""

from __future__ import annotations

from typing import Any

from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.interrupts_request import InterruptsRequest, device_of
from skb.sources import bitmap


def changes(
    machine: Machine, request: InterruptsRequest, answer: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return masks that differ from those in force, as far as request or facts tell these."""
    now = _now(machine, request)
    found = []
    for device, row in answer["steering"].items():
        for kind in ("rps", "xps"):
            for queue, planned in row.get(kind, {}).items():
                was = now.get((device, kind, int(queue)))
                if was is not None and was != bitmap.parse_words(planned):
                    found.append(
                        {
                            "device": device,
                            "mask": kind,
                            "queue": int(queue),
                            "from": bitmap.to_list(was),
                            "to": bitmap.to_list(bitmap.parse_words(planned)),
                        }
                    )
    return found


def _now(machine: Machine, request: InterruptsRequest) -> dict[tuple[str, str, int], int]:
    found = {}
    for fact in machine.facts_of("queue_pus"):
        device, kind, queue, pus = fact.args
        try:
            found[str(device), str(kind), int(str(queue))] = bitmap.parse_list(str(pus))
        except ValueError as fault:
            raise RequestError(
                f"{pus!r} of the fact queue_pus({device}, {kind}, {queue}) is no list of PUs",
                mend=f"skb retract {machine.name} 'queue_pus({device}, {kind}, {queue})'",
            ) from fault
    for kind, table in (("rps", request.current.rps), ("xps", request.current.xps)):
        for name, row in table.items():
            path = f"interrupts request $.current.{kind}"
            device = device_of(name, machine, path)
            for queue, text in row.items():
                if not (queue.isascii() and queue.isdigit() and len(queue) < 8):
                    text = f"{queue!r} is no queue"
                    raise RequestError(text, place=path, mend="keys are numbers of queues")
                try:
                    found[device, kind, int(queue)] = bitmap.parse_words(text)
                except ValueError as fault:
                    raise RequestError(
                        f"{text[:40]!r} is no mask",
                        place=f"{path}.{name}.{queue}",
                        mend='write "00000000,0000000f", as Linux does',
                    ) from fault
    return found
