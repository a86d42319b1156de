"""What an API server's answers are to us, by "API Conventions"."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from cni_sriov.ctl.cluster.asking import Asking
from cni_sriov.ctl.cluster.engine import EngineAway, EngineRefused
from cni_sriov.ctl.cluster.http import Client
from cni_sriov.ctl.cluster.kubecalls import ABSENT, CONFLICT, EXPIRED, OK, Calls
from tests.unit.ctl.cluster.server import Said, Server, serving

GOOD = Said({"kind": "SubnetBlock"})


def status(code: int, reason: str, message: str = "", **details: Any) -> Said:
    told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    return Said(told | {"details": details, "code": code}, code)


@contextmanager
def calling(*said: Said, seconds: float = 10) -> Iterator[tuple[Calls, Server]]:
    """The last is said for ever."""
    left = list(said)
    with serving(lambda _: left.pop(0) if len(left) > 1 else left[0]) as server:
        what = "ask the Kubernetes API of cluster rack"
        asking = Asking(what, [server.endpoint], Client(None), time.monotonic() + seconds)
        yield Calls(asking, "/before", "hunter2"), server


@pytest.mark.parametrize(("said", "expected"), [
    (GOOD, OK),
    (Said({"kind": "SubnetBlock"}, 201), OK),
    (Said({"kind": "Status", "status": "Success"}, 202), OK),
    (status(404, "NotFound", 'subnetblocks "x" not found', name="x", kind="subnetblocks"), ABSENT),
    (status(409, "AlreadyExists", name="x"), CONFLICT),
    (status(409, "Conflict", name="x"), CONFLICT),
    (status(410, "Expired"), EXPIRED),
])  # fmt: skip
def test_what_is_an_answer(said: Said, expected: int) -> None:
    with calling(said) as (calls, server):
        reply = calls.call("GET", "/apis/x", accept="application/x", others=(ABSENT, CONFLICT, EXPIRED))
        assert reply.status == expected

    (asked,) = server.asked
    assert (asked.path, asked.headers["Authorization"], asked.headers["Accept"]) == (
        *("/before/apis/x", "Bearer hunter2", "application/x"),
    )


@pytest.mark.parametrize(("said", "told", "remedy"), [
    (status(401, "Unauthorized", "Unauthorized"), "does not know who we are (401)", "expired"),
    (status(403, "Forbidden", 'User "u" cannot create resource "subnetblocks"'), 'it forbids that: User "u"', "rbac.yaml"),
    (status(404, "NotFound", "the server could not find the requested resource"), "does not know cni-sriov.io", "apply -k"),
    (Said(b"404 page not found\n", 404), "does not know cni-sriov.io/v1alpha1", "kubectl apply -k conf/kubernetes"),
    (status(422, "Invalid", "spec.fill: Invalid value"), "it says 422: spec.fill: Invalid value", "crd.yaml"),
    (status(400, "BadRequest", "a\x1b[31mb"), 'it says 400: "a\\u001b[31mb"', ""),
    (Said(b"<html>", 200), 'does not answer as the Kubernetes API does: status 200, "<html>"', "port"),
    (Said({"header": {}}), "status 200, JSON of another kind", "port"),
    (Said(b"<html>", 403), "does not answer as the Kubernetes API does: status 403", "port"),
    (Said(b"", 301, {"Location": "/"}), "sends us elsewhere (status 301)", "no redirect is followed"),
    (Said(b"Client sent an HTTP request to an HTTPS server.", 400), "speaks TLS", "https"),
])  # fmt: skip
def test_what_somebody_must_change_is_a_sentence_with_what_to_do(said: Said, told: str, remedy: str) -> None:
    with calling(said) as (calls, _), pytest.raises(EngineRefused) as refused:
        calls.call("GET", "/apis/x")

    assert told in refused.value.msg
    assert remedy in refused.value.details
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("said", [
    status(429, "TooManyRequests", "try again"),
    status(500, "InternalError", "etcdserver: request timed out"),
    status(503, "ServiceUnavailable"),
    status(504, "Timeout", "Timeout: request did not complete"),
    Said(b"upstream", 502),
])  # fmt: skip
def test_a_moment_is_waited_for_and_told_where_it_lasts(said: Said) -> None:
    with calling(said, GOOD) as (calls, server):
        assert calls.call("GET", "/apis/x").status == OK
        assert len(server.asked) == 2
    with calling(said, seconds=2) as (calls, _), pytest.raises(EngineAway) as refused:
        calls.call("GET", "/apis/x")
    assert f"says {said.status}: " in refused.value.details


@pytest.mark.parametrize(("asked", "least"), [("1", 1), ("0", 0), ("Fri, 27 Nov 2026 00:00:00 GMT", 0)])
def test_a_server_that_is_busy_is_left_alone_as_long_as_it_asks(asked: str, least: float) -> None:
    """By "API Conventions", 429: read the Retry-After header, and wait at least that long before retrying."""
    busy = status(429, "TooManyRequests")
    with calling(replace(busy, headers={"Retry-After": asked}), GOOD) as (calls, server):
        started = time.monotonic()
        assert calls.call("GET", "/apis/x").status == OK
        assert time.monotonic() - started >= least

    assert len(server.asked) == 2


def test_a_server_that_asks_for_more_than_there_is_ends_it_at_once() -> None:
    busy = status(429, "TooManyRequests", "later")
    with calling(replace(busy, headers={"Retry-After": "60"}), GOOD, seconds=20) as (calls, server):
        started = time.monotonic()
        with pytest.raises(EngineAway) as away:
            calls.call("GET", "/apis/x")

    assert time.monotonic() - started < 15
    assert "says 429: later" in away.value.details
    assert len(server.asked) == 1
