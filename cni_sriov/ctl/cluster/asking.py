"""The endpoints of an engine, asked in turn until one answers: all questions of a verb share one deadline.

A question may reach several of them: each is one that can be asked twice, or tells the one that is answered late that the
world went on (compare, then write).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from ...conf.cluster import Endpoint
from .engine import EngineAway, EngineRefused
from .http import Answer, Client, Fault, Kind

_PAUSE = 0.25  # s, an election takes one or two
_PATIENCE = 2.0  # s with the first one while others are left; twice that the next time
Judge = Callable[[Answer], None]


class Asking:
    """`what` is asked, as in "ask etcd of cluster rack"."""

    def __init__(self, what: str, endpoints: list[Endpoint], client: Client, deadline: float) -> None:
        self.what = what
        self._order = list(endpoints)
        self._client = client
        self._deadline = deadline

    def ask(self, method: str, path: str, body: Any, headers: dict[str, str], judge: Judge) -> Answer:
        """`judge` raises Fault, or EngineRefused, where the answer is none. The one that answers is the first next time."""
        told: dict[Endpoint, Fault] = {}
        order, again = list(self._order), {Kind.PASSING, Kind.BROKEN}
        patience = _PATIENCE if len(order) > 1 else math.inf
        while order:
            for number, endpoint in enumerate(order):
                left = self._deadline - time.monotonic()
                if left <= 0:
                    break
                try:
                    share = min(left / (len(order) - number), patience)
                    answer = self._client.ask(endpoint, method, path, body, headers, share)
                    judge(answer)
                except Fault as fault:
                    told[endpoint] = fault
                except EngineRefused as refused:
                    refused.details = f"{refused.details}\n{endpoint} says so".lstrip()
                    raise
                else:
                    self._order.sort(key=lambda one: (one in told, one != endpoint))
                    return answer
            order = [one for one in order if one in told and told[one].kind in again]
            order = self._once_more(order, min((told[one].pause for one in order), default=0))
            again, patience = {Kind.PASSING}, patience * 2
        raise self._failure(told)

    def _once_more(self, order: list[Endpoint], wanted: float) -> list[Endpoint]:
        """After a moment, or as many seconds as are wanted; [] if there is no time for that."""
        pause = max(_PAUSE, wanted)
        if not order or self._deadline - time.monotonic() <= pause:
            return []
        time.sleep(pause)
        return order

    def _failure(self, told: dict[Endpoint, Fault]) -> EngineAway | EngineRefused:
        lines = [f"{endpoint}: {fault.told}" for endpoint, fault in told.items()]
        wrong = next(((one, fault) for one, fault in told.items() if fault.kind is Kind.WRONG), None)
        if wrong is not None:
            endpoint, fault = wrong
            others = lines if len(lines) > 1 else []
            return EngineRefused(
                f"{self.what}: {endpoint}: {fault.told}", "\n".join(filter(None, [fault.remedy, *others]))
            )
        if not lines:
            return EngineAway(f"{self.what}: no time is left for it")
        return EngineAway(f"{self.what}: no endpoint answered", "\n".join(lines))
