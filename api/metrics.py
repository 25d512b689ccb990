"""Counters of the service in Prometheus' text format."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Metrics:
    """What happened since the start; written only from the event loop."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    request_seconds: float = 0.0
    asks: Counter[tuple[str, str]] = field(default_factory=Counter)

    def request(self, method: str, status: int, seconds: float) -> None:
        known = method if method in {"GET", "HEAD", "POST", "PATCH", "DELETE"} else "other"
        self.requests[known, status] += 1
        self.request_seconds += seconds

    def ask(self, question: str, outcome: str) -> None:
        self.asks[question, outcome] += 1

    def text(self, workers: int, busy: int, killed: int) -> str:
        """Return all counters, and the state of the workers."""
        rows = ["# TYPE skb_requests_total counter"]
        rows += [
            f'skb_requests_total{{method="{method}",status="{status}"}} {count}'
            for (method, status), count in sorted(self.requests.items())
        ]
        rows += [
            "# TYPE skb_request_seconds_total counter",
            f"skb_request_seconds_total {self.request_seconds:.6f}",
            "# TYPE skb_asks_total counter",
        ]
        rows += [
            f'skb_asks_total{{question="{question}",outcome="{outcome}"}} {count}'
            for (question, outcome), count in sorted(self.asks.items())
        ]
        rows += [
            "# TYPE skb_workers gauge",
            f"skb_workers {workers}",
            "# TYPE skb_workers_busy gauge",
            f"skb_workers_busy {busy}",
            "# TYPE skb_workers_killed_total counter",
            f"skb_workers_killed_total {killed}",
        ]
        return "\n".join(rows) + "\n"
