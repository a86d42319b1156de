"""What goes wrong between a client and an API server, when a test says so."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

from . import status

Json = dict[str, Any]
FOREVER = 1 << 30


@dataclasses.dataclass
class Fault:
    """`what`: "hang", "cut" (the connection, without an answer), "short" (half an answer), "page" (a proxy's, no Status),
    "redirect", the code of a refusal: 429, 500, 503, or what happens in between, and then all goes on. `is_done`: after the server did what it was asked.
    """

    what: str | int | Callable[[], object]
    verb: str = ""
    resource: str = ""
    times: int = FOREVER
    is_done: bool = False
    retry_after: int = 1
    skip: int = 0  # so many calls that it would meet go by first
    met: int = 0

    def takes(self, verb: str, resource: str) -> bool:
        """One more of its times, if this call is meant."""
        if (
            (self.verb and self.verb != verb)
            or (self.resource and self.resource != resource)
            or not self.times
        ):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        self.met += 1
        return True

    @property
    def code(self) -> int:
        return (
            self.what
            if isinstance(self.what, int)
            else {"short": 200, "page": 502, "redirect": 307}.get(str(self.what), 0)
        )

    @property
    def refusal(self) -> status.Refused:
        if self.what == 429:
            return status.too_many(self.retry_after)
        if self.what == 503:
            message = "the server is currently unable to handle the request"
            return status.Refused(503, "ServiceUnavailable", message)
        return status.internal("etcdserver: request timed out")


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: list[Fault] = []
        self.end = threading.Event()  # of every hang

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._all.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._all.clear()
            self.end.set()
            self.end = threading.Event()

    def of(self, verb: str, resource: str) -> Fault | None:
        with self._lock:
            return next((fault for fault in self._all if fault.takes(verb, resource)), None)
