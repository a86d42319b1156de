"""The stand-in's own: what goes wrong on demand, and what it refuses of a manifest."""

from __future__ import annotations

import copy
import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kubeapi import Json, StandIn
from tests.kubeapi.door import path_of

from .rooms import DEFINITION, JANE, ROOMS, binding, role, room, user

ONE = f"{ROOMS}/one"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[StandIn]:
    found = StandIn(tmp_path, JANE)
    found.apply([DEFINITION])
    found.heard.clear()
    yield found
    found.close()


@pytest.mark.parametrize(("is_done", "code"), [(False, 404), (True, 200)])
@pytest.mark.parametrize("what", ["cut", "hang"])
def test_a_connection_is_cut_before_or_after_the_write(
    api: StandIn, what: str, is_done: bool, code: int
) -> None:
    fault = api.fault(what, "create", times=1, is_done=is_done)

    with pytest.raises((http.client.RemoteDisconnected, ConnectionError, TimeoutError)):
        api.call("POST", ROOMS, room("one"), timeout=0.5)

    assert fault.met == 1
    assert api.get(ONE).code == code


@pytest.mark.parametrize(("what", "reason"), [(500, "InternalError"), (503, "ServiceUnavailable")])
def test_it_fails_as_a_server_does(api: StandIn, what: int, reason: str) -> None:
    api.fault(what, "get", times=1)

    assert api.get(ONE).status == (what, reason)
    assert api.get(ONE).status == (404, "NotFound")


def test_it_may_have_done_what_it_failed_at(api: StandIn) -> None:
    """By "API Conventions", 500: the outcome of the call is unknown."""
    api.fault(500, "create", times=1, is_done=True)

    assert api.call("POST", ROOMS, room("one")).code == 500
    assert api.get(ONE).code == 200


def test_too_many_requests_say_how_long_to_wait(api: StandIn) -> None:
    """By "API Conventions", 429: the Retry-After header."""
    api.fault(429, times=1, retry_after=7)

    answer = api.get(ONE)

    assert answer.status == (429, "TooManyRequests")
    assert (answer.headers["Retry-After"], answer.document["details"]["retryAfterSeconds"]) == ("7", 7)


def test_half_an_answer_is_none(api: StandIn) -> None:
    api.fault("short", times=1)

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        api.get(ROOMS)


def test_a_proxy_answers_in_its_own_words(api: StandIn) -> None:
    api.fault("page", times=1)

    answer = api.get(ROOMS)

    assert (answer.code, answer.headers["Content-Type"]) == (502, "text/html")


def test_a_fault_is_of_one_verb_and_one_resource_and_so_many_times(api: StandIn) -> None:
    fault = api.fault(500, "get", "rooms", times=2, skip=1)

    assert [api.get(path).code for path in (ROOMS, "/api/v1/nodes/a")] == [200, 404]
    assert [api.get(ONE).code for _ in range(4)] == [404, 500, 500, 404]
    assert fault.met == 2


def test_a_hang_ends_with_the_server(api: StandIn) -> None:
    started = time.monotonic()
    api.fault("hang")

    with pytest.raises(TimeoutError):
        api.call("GET", ONE, timeout=0.3)

    assert time.monotonic() - started < 5


def test_something_happens_just_before(api: StandIn) -> None:
    api.fault(lambda: api.call("POST", ROOMS, room("one", {"owner": "you"})), "create", times=1)

    assert api.call("POST", ROOMS, room("one")).status == (409, "AlreadyExists")


def test_a_token_expires(api: StandIn) -> None:
    jane = api.as_user(JANE)
    assert jane.get(ONE).code == 403

    api.expire(JANE)

    assert jane.get(ONE).status == (401, "Unauthorized")


def test_a_list_that_nobody_continued_in_time_is_gone(api: StandIn) -> None:
    """By "Kubernetes API Concepts", Retrieving large results sets in chunks: 410 Gone, start from the beginning."""
    for name in "abc":
        api.call("POST", ROOMS, room(name))
    token = api.get(f"{ROOMS}?limit=2").document["metadata"]["continue"]

    api.forget_pages()

    assert api.get(f"{ROOMS}?limit=2&continue={token}").status == (410, "Expired")
    assert len(api.get(f"{ROOMS}?limit=2").document["items"]) == 2


def test_a_version_is_no_number_that_a_client_may_count_on(api: StandIn) -> None:
    """By "API Conventions", Concurrency Control and Consistency: opaque. Here they are not in steps of one."""
    first = api.call("POST", ROOMS, room("a")).document["metadata"]["resourceVersion"]
    second = api.call("POST", ROOMS, room("b")).document["metadata"]["resourceVersion"]

    assert abs(int(second) - int(first)) != 1


def test_who_asked_what_is_remembered(api: StandIn) -> None:
    api.apply([role(("tests.example.org", "rooms", "get")), binding(user("jane"))])
    api.heard.clear()

    api.as_user(JANE).get(ONE)

    assert [tuple(heard) for heard in api.heard] == [("jane", "get", "rooms", "one", 404)]
    assert (api.count("get", "rooms"), api.count("get"), api.count("list")) == (1, 1, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"spec": {}},  # no type
        {"spec": {"type": "object", "properties": {"a": {}}}},
        {"spec": {"type": "object", "anyOf": [{"type": "object"}]}},
        {"spec": {"type": "array"}},
        {"spec": {"type": "object", "x-kubernetes-validations": [{"rule": "true"}]}},
        {"spec": {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True}},
    ],
)
def test_a_definition_that_a_server_refuses_is_refused(api: StandIn, wrong: Json) -> None:
    """By "Extend the Kubernetes API with CustomResourceDefinitions", Specifying a structural schema. Rules in CEL the stand-in
    cannot judge.
    """
    definition: Any = copy.deepcopy(DEFINITION)
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"] = wrong
    api.call(
        "DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{DEFINITION['metadata']['name']}"
    )

    with pytest.raises(AssertionError):
        api.apply([definition])


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("/api/v1/nodes", ("", "v1", "nodes", "", "", "")),
        ("/api/v1/nodes/a%2Eb", ("", "v1", "nodes", "", "a.b", "")),
        ("/api/v1/namespaces", ("", "v1", "namespaces", "", "", "")),
        ("/api/v1/namespaces/kube-system", ("", "v1", "namespaces", "", "kube-system", "")),
        ("/api/v1/namespaces/kube-system/secrets/s", ("", "v1", "secrets", "kube-system", "s", "")),
        ("/apis/g.io/v1/rooms/one/status", ("g.io", "v1", "rooms", "", "one", "status")),
        ("/apis", None),
        ("/apis/g.io", None),
        ("/apis/g.io/v1", None),
        ("/version", None),
    ],
)
def test_an_address_names_a_resource(address: str, parts: tuple[str, ...] | None) -> None:
    """By "Kubernetes API Concepts", Resource URIs."""
    assert path_of(address) == parts
