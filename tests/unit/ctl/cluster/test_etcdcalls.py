"""Who we are to etcd, and what its errors are to us. Their words are etcd's own (rpctypes/error.go, seen of 3.4.23)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cni_sriov.ctl.cluster.asking import Asking
from cni_sriov.ctl.cluster.engine import EngineAway, EngineRefused
from cni_sriov.ctl.cluster.etcdcalls import Calls
from cni_sriov.ctl.cluster.http import Client
from cni_sriov.words.errors import CniError
from tests.unit.ctl.cluster.gateway import Gateway, error
from tests.unit.ctl.cluster.server import Said, Server, serving

RANGE = {"key": "YQ=="}
SECRET = "hunter2"


@contextmanager
def calling(
    gateway: Gateway, user: str = "", password: str = SECRET, seconds: float = 10
) -> Iterator[tuple[Calls, Server]]:
    with serving(gateway) as server:
        asking = Asking(
            "ask etcd of cluster rack", [server.endpoint], Client(None), time.monotonic() + seconds
        )
        yield Calls(asking, user, password), server


def refusal(
    gateway: Gateway, kind: type[CniError], user: str = "", password: str = SECRET, seconds: float = 10
) -> CniError:
    with calling(gateway, user, password, seconds) as (calls, _), pytest.raises(kind) as refused:
        calls.call("/v3/kv/range", RANGE, dict)
    assert SECRET not in str(refused.value)
    return refused.value


def test_without_a_user_nobody_logs_in() -> None:
    with calling(Gateway()) as (calls, server):
        assert calls.call("/v3/kv/range", RANGE, dict) == {"header": {"revision": "1"}}

    assert [asked.path for asked in server.asked] == ["/v3/kv/range"]
    assert server.asked[0].headers["Grpc-Metadata-hasleader"] == "true"


def test_one_login_is_for_all_calls() -> None:
    with calling(Gateway({"u": SECRET}), "u") as (calls, server):
        for _ in range(3):
            calls.call("/v3/kv/range", RANGE, dict)

    assert [asked.path.rpartition("/")[2] for asked in server.asked] == [
        "authenticate",
        "range",
        "range",
        "range",
    ]
    assert {asked.headers.get("Authorization") for asked in server.asked} == {None, "token.0"}


def test_an_expired_token_is_asked_for_anew() -> None:
    gateway = Gateway({"u": SECRET})
    with calling(gateway, "u") as (calls, server):
        calls.call("/v3/kv/range", RANGE, dict)
        gateway.tokens.clear()
        calls.call("/v3/kv/range", RANGE, dict)

    assert [asked.path.rpartition("/")[2] for asked in server.asked][2:] == ["range", "authenticate", "range"]


def test_a_token_that_is_never_known_is_no_circle() -> None:
    gateway = Gateway({"u": SECRET})
    stale = error(401, 16, "invalid auth token")
    login = Said({"header": {"revision": "1"}, "token": "t"})
    gateway.refuse = [login, stale, login, stale, login, stale]

    assert "it gives a token and then does not know it" in refusal(gateway, EngineRefused, "u").msg
    assert len(gateway.refuse) == 2


def test_an_etcd_without_authentication_wants_no_token() -> None:
    with calling(Gateway(), "u") as (calls, server):
        calls.call("/v3/kv/range", RANGE, dict)

    assert "Authorization" not in server.asked[-1].headers


@pytest.mark.parametrize(("said", "told", "remedy"), [
    (error(400, 3, "authentication failed, invalid user ID or password"), "does not take this user", "passwordFile"),
    (error(400, 3, "user name is empty"), "it wants a user", 'give "user" and "passwordFile"'),
    (error(403, 7, "permission denied"), "the user must not do that", "grant-permission"),
    (error(429, 8, "mvcc: database space exceeded"), "takes no more writes (NOSPACE)", "etcdctl alarm disarm"),
    (error(500, 15, "corrupt cluster"), "its data are corrupt", "restore it"),
    (error(400, 3, "key is not provided"), "it says etcdserver: key is not provided", ""),
    (error(400, 3, "a\x1b[31mb"), 'it says "etcdserver: a\\u001b[31mb"', ""),
    (Said(b"<html>hello</html>"), "does not answer as etcd does: status 200, \"<html>hello</html>\"", "port right"),
    (Said(b"404 page not found", 404), "does not answer as etcd does: status 404", "etcd 3.4 or later"),
    (Said({"kind": "Status"}, 403), "does not answer as etcd does: status 403, JSON of another kind", "port"),
    (Said([1]), "does not answer as etcd does: status 200, JSON of another kind", "port"),
    (Said(b"", 302, {"Location": "/"}), "sends us elsewhere (status 302)", "no redirect is followed"),
    (Said(b"Client sent an HTTP request to an HTTPS server.", 400), "speaks TLS, and was asked without", "https"),
])  # fmt: skip
def test_what_somebody_must_change_is_a_sentence_with_what_to_do(said: Said, told: str, remedy: str) -> None:
    gateway = Gateway()
    gateway.refuse = [said]

    found = refusal(gateway, EngineRefused)

    assert told in found.msg
    assert remedy in found.details
    assert found.msg.startswith("ask etcd of cluster rack: ")


@pytest.mark.parametrize(("said", "told"), [
    (error(503, 14, "no leader"), "has no leader: has the cluster lost its quorum?"),
    (error(503, 14, "request timed out"), "heard nothing from the others"),
    (error(503, 14, "leader changed"), "has just lost its leader"),
    (error(429, 8, "too many requests"), "has too many requests"),
    (error(500, 13, "something of tomorrow"), "says etcdserver: something of tomorrow"),
    (Said(b"upstream", 502), "is up, and what is behind it is not (status 502)"),
])  # fmt: skip
def test_a_moment_is_waited_for_and_told_where_it_lasts(said: Said, told: str) -> None:
    gateway = Gateway()
    gateway.refuse = [said]
    with calling(gateway) as (calls, server):
        calls.call("/v3/kv/range", RANGE, dict)
        assert len(server.asked) == 2

    gateway.refuse = [said] * 99
    assert told in refusal(gateway, EngineAway, seconds=0.5).details


def test_a_learner_is_left_at_once() -> None:
    gateway = Gateway()
    gateway.refuse = [error(503, 14, "rpc not supported for learner")]

    assert "is a learner: it answers when it is promoted" in refusal(gateway, EngineAway).details


def test_a_wrong_password_asks_no_other_member() -> None:
    with serving(Gateway({"u": "right"})) as one, serving(Gateway()) as other:
        endpoints = [one.endpoint, other.endpoint]
        asking = Asking("ask etcd of cluster rack", endpoints, Client(None), time.monotonic() + 10)
        with pytest.raises(EngineRefused, match="does not take this user and password"):
            Calls(asking, "u", SECRET).call("/v3/kv/range", RANGE, dict)

    assert other.asked == []
