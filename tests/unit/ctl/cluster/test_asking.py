"""Several endpoints and one deadline. Who answers is a script; time is real, and short."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from cni_sriov.conf.cluster import Endpoint
from cni_sriov.ctl.cluster.asking import Asking
from cni_sriov.ctl.cluster.engine import EngineAway, EngineRefused
from cni_sriov.ctl.cluster.http import Answer, Client, Fault, Kind

A, B, C = (Endpoint(True, name, 2379) for name in "abc")
GOOD = Answer(200, {}, "")
AWAY, WRONG = Fault("took no connection: Connection refused"), Fault("has expired", Kind.WRONG, "renew it")
PASSING = Fault("has no leader", Kind.PASSING)


class Script(Client):
    """What each endpoint says, one after the other; the last for ever."""

    def __init__(self, **says: list[Any]) -> None:
        super().__init__(None)
        self.says = says
        self.asked: list[str] = []
        self.seconds: list[float] = []

    def ask(self, endpoint: Endpoint, *_: Any) -> Answer:
        self.asked.append(endpoint.host)
        self.seconds.append(_[-1])
        listed = self.says[endpoint.host]
        said = listed.pop(0) if len(listed) > 1 else listed[0]
        if isinstance(said, float):
            time.sleep(said)
            said = Fault("said nothing", Kind.PASSING)
        if isinstance(said, Exception):
            raise said
        return GOOD


def asking(script: Script, seconds: float = 1.0) -> Asking:
    endpoints = [Endpoint(True, name, 2379) for name in script.says]
    return Asking("ask etcd of cluster rack", endpoints, script, time.monotonic() + seconds)


def ask(made: Asking, judge: Callable[[Answer], None] = lambda _: None) -> Answer:
    return made.ask("POST", "/", {}, {}, judge)


def test_the_first_that_answers_is_the_first_next_time() -> None:
    script = Script(a=[AWAY], b=[GOOD], c=[GOOD])
    made = asking(script)

    assert ask(made) is GOOD
    assert ask(made) is GOOD
    assert script.asked == ["a", "b", "b"]


def test_time_is_shared_among_those_that_are_left() -> None:
    script = Script(a=[AWAY], b=[AWAY], c=[GOOD])
    ask(asking(script, 1.8))

    assert [round(seconds, 1) for seconds in script.seconds] == [0.6, 0.9, 1.8]


def test_a_hung_one_costs_no_more_than_its_moment_however_late_the_deadline() -> None:
    script = Script(a=[PASSING], b=[PASSING, GOOD])
    ask(asking(script, 60))

    assert [round(seconds) for seconds in script.seconds] == [2, 2, 4, 4]
    alone = Script(a=[GOOD])
    ask(asking(alone, 60))
    assert round(alone.seconds[0]) == 60


def test_nobody_there_is_said_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(EngineAway) as refused:
        ask(asking(Script(a=[AWAY], b=[AWAY]), 30))

    assert time.monotonic() - began < 5
    assert refused.value.msg == "ask etcd of cluster rack: no endpoint answered"
    assert refused.value.details == (
        "https://a:2379: took no connection: Connection refused\nhttps://b:2379: took no connection: Connection refused"
    )


def test_a_moment_is_waited_for() -> None:
    script = Script(a=[PASSING, GOOD], b=[AWAY])

    assert ask(asking(script, 5)) is GOOD
    assert script.asked == ["a", "b", "a"]


def test_who_broke_off_is_asked_once_more() -> None:
    broken = Fault("broke off", Kind.BROKEN)
    assert ask(asking(Script(a=[broken, GOOD]), 5)) is GOOD
    script = Script(a=[broken])
    with pytest.raises(EngineAway):
        ask(asking(script, 30))

    assert script.asked == ["a", "a"]


def test_a_moment_without_end_ends_with_the_time() -> None:
    began = time.monotonic()
    with pytest.raises(EngineAway, match="no endpoint answered"):
        ask(asking(Script(a=[PASSING]), 0.8))

    assert 0.4 < time.monotonic() - began < 2


def test_who_said_nothing_has_all_the_time_that_the_others_left() -> None:
    script = Script(a=[0.05, GOOD], b=[AWAY])

    assert ask(asking(script, 5)) is GOOD


def test_what_is_wrong_is_said_first_and_what_to_do() -> None:
    with pytest.raises(EngineRefused) as refused:
        ask(asking(Script(a=[AWAY], b=[WRONG])))

    assert refused.value.msg == "ask etcd of cluster rack: https://b:2379: has expired"
    assert refused.value.details.splitlines()[0] == "renew it"
    assert refused.value.details.splitlines()[1:] == [
        "https://a:2379: took no connection: Connection refused",
        "https://b:2379: has expired",
    ]


def test_one_that_is_wrong_hinders_nobody() -> None:
    assert ask(asking(Script(a=[WRONG], b=[GOOD]))) is GOOD


def test_who_judges_may_send_it_on_or_end_it() -> None:
    def judge(_: Answer) -> None:
        raise PASSING if len(script.asked) < 2 else EngineRefused("no")

    script = Script(a=[GOOD], b=[GOOD], c=[GOOD])
    with pytest.raises(EngineRefused, match="no"):
        ask(asking(script), judge)

    assert script.asked == ["a", "b"]


def test_without_time_nobody_is_asked() -> None:
    script = Script(a=[GOOD])
    with pytest.raises(EngineAway, match="no time is left for it"):
        ask(asking(script, -1))

    assert script.asked == []
