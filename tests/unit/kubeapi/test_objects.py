"""Objects as the documentation says they behave; each test names its page. For the stand-in and a real server alike."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.kubeapi import Admin, Json

from .rooms import DEFINITION, GROUP, ROOMS, made, room

UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NOT_NAMES = ("One", "a_b", "-a", "a-", "a..b", ".a", "a/b", "ä", "a" * 254)


def test_a_new_object_gets_what_only_the_server_sets(api: Admin) -> None:
    """By "API Conventions", Metadata: uid, resourceVersion, generation and creationTimestamp are the system's."""
    asked = room(
        "one", uid="of-mine", creationTimestamp="2001-01-01T00:00:00Z", generation=7, labels={"a": "b"}
    )

    answer = api.call("POST", ROOMS, asked)

    metadata = answer.document["metadata"]
    assert [entry["operation"] for entry in metadata["managedFields"]] == ["Update"]
    assert (answer.code, answer.document["spec"]["owner"]) == (201, "me")
    assert UID.fullmatch(metadata["uid"])
    assert metadata["resourceVersion"]
    assert (metadata["generation"], metadata["labels"]) == (1, {"a": "b"})
    assert re.fullmatch(r"20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["creationTimestamp"])
    assert api.get(f"{ROOMS}/one").document == answer.document


def test_a_name_is_taken_once(api: Admin) -> None:
    """By "API Conventions", HTTP Status codes: 409, AlreadyExists."""
    made(api)

    answer = api.call("POST", ROOMS, room("one", {"owner": "you"}))

    assert answer.status == (409, "AlreadyExists")
    assert answer.document["message"] == f'rooms.{GROUP} "one" already exists'
    assert answer.document["details"] == {"name": "one", "group": GROUP, "kind": "rooms"}
    assert api.get(f"{ROOMS}/one").document["spec"]["owner"] == "me"


def test_of_many_at_once_one_gets_the_name(api: Admin) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda n: api.call("POST", ROOMS, room("one", {"owner": f"{'abcdefgh'[n]}"})), range(8))
        )

    assert sorted(answer.code for answer in answers) == [201] + [409] * 7
    (winner,) = [answer for answer in answers if answer.code == 201]
    assert api.get(f"{ROOMS}/one").document == winner.document


@pytest.mark.parametrize("name", NOT_NAMES)
def test_a_name_is_a_dns_subdomain(api: Admin, name: str) -> None:
    """By "Object Names and IDs": at most 253 characters, lower case alphanumeric, '-' and '.'; both ends alphanumeric."""
    answer = api.call("POST", ROOMS, room(name))

    assert answer.status == (422, "Invalid")
    assert [cause["field"] for cause in answer.document["details"]["causes"]] == ["metadata.name"]


@pytest.mark.parametrize("name", ["a", "10.10.16.0-20", "0.a-b.c", "a" * 253, "2001-0db8-0000-48"])
def test_these_are_names(api: Admin, name: str) -> None:
    assert made(api, name)["metadata"]["name"] == name


def test_an_object_without_a_name_is_none(api: Admin) -> None:
    assert api.call("POST", ROOMS, room("")).status == (422, "Invalid")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "spec.owner"),
        ({"owner": "ME"}, "spec.owner"),
        ({"owner": 5}, "spec.owner"),
        ({"owner": "elevenchars"}, "spec.owner"),
        ({"owner": "me", "size": 0}, "spec.size"),
        ({"owner": "me", "size": 10}, "spec.size"),
        ({"owner": "me", "size": "1"}, "spec.size"),
        ({"owner": "me", "size": True}, "spec.size"),
        ({"owner": "me", "shape": "oval"}, "spec.shape"),
        ({"owner": "me", "shelves": {"a": [1, 2, 3, 4]}}, "spec.shelves.a"),
        ({"owner": "me", "shelves": {"a": ["1"]}}, "spec.shelves.a"),
        ({"owner": "me", "shelves": []}, "spec.shelves"),
        ({"owner": "me", "since": "yesterday"}, "spec.since"),
        ({"owner": "me", "since": "2026-13-01T00:00:00Z"}, "spec.since"),
        ({"owner": "me", "since": "2026-11-01 00:00:00"}, "spec.since"),
        ({"owner": "me", "since": 1}, "spec.since"),
    ],
)
def test_an_object_is_judged_by_its_schema(api: Admin, spec: Json, field: str) -> None:
    """By "Extend the Kubernetes API with CustomResourceDefinitions", Validation."""
    answer = api.call("POST", ROOMS, room("one", spec))

    assert answer.status == (422, "Invalid")
    assert answer.document["message"].startswith(f'Room.{GROUP} "one" is invalid: ')
    (cause,) = answer.document["details"]["causes"]
    assert cause["field"].startswith(field)
    assert api.get(f"{ROOMS}/one").code == 404


def test_without_what_the_schema_requires_there_is_no_object(api: Admin) -> None:
    document = room("one")
    del document["spec"]

    assert api.call("POST", ROOMS, document).status == (422, "Invalid")


def test_what_the_schema_does_not_name_is_not_stored(api: Admin) -> None:
    """The same page, Field pruning and Controlling pruning."""
    spec = {"owner": "me", "junk": 1, "free": {"any": {"thing": [1]}}, "shelves": {"of mine": [1]}}

    answer = api.call("POST", ROOMS, room("one", spec) | {"more": 1})

    assert answer.code == 201
    assert answer.document.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert answer.document["spec"] == {
        "owner": "me",
        "colour": "red",
        "free": {"any": {"thing": [1]}},
        "shelves": {"of mine": [1]},
    }


def test_a_default_stands_where_nothing_is_said(api: Admin) -> None:
    """The same page, Defaulting and Nullable: a null that may not be is dropped first, one that may be stays."""
    found = made(api, "one", {"owner": "me", "colour": None, "size": None, "note": None})

    assert found["spec"] == {"owner": "me", "colour": "red", "note": None}


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"kind": "Other"}, (422, "Invalid")),
        ({"kind": ""}, (400, "BadRequest")),
        ({"apiVersion": "v1"}, (400, "BadRequest")),
        ({"apiVersion": f"{GROUP}/v2"}, (400, "BadRequest")),
    ],
)
def test_an_object_is_of_the_kind_that_its_address_names(
    api: Admin, wrong: Json, status: tuple[int, str]
) -> None:
    assert api.call("POST", ROOMS, room("one") | wrong).status == status


@pytest.mark.parametrize("text", ["2.0", "2e0"])
def test_a_whole_number_is_an_integer_however_it_is_written(api: Admin, text: str) -> None:
    body = json.dumps(room("one", {"owner": "me", "size": 7})).replace("7", text)

    assert api.call("POST", ROOMS, body).code == 201
    assert re.search(r'"size": ?2[,}]', api.get(f"{ROOMS}/one").text)


def test_a_new_object_has_no_version_yet(api: Admin) -> None:
    assert api.call("POST", ROOMS, room("one", resourceVersion="5")).code == 500


@pytest.mark.parametrize("body", ['{"a":', "[]", '"text"'])
def test_what_is_no_object_is_refused(api: Admin, body: str) -> None:
    assert api.call("POST", ROOMS, body).status == (400, "BadRequest")


def test_a_body_says_its_type(api: Admin) -> None:
    text = json.dumps(room("one"))

    assert api.call("POST", ROOMS, text, {"Content-Type": "text/plain"}).status == (
        415,
        "UnsupportedMediaType",
    )
    assert api.call("PATCH", f"{ROOMS}/one", "{}").status == (415, "UnsupportedMediaType")


def test_an_answer_is_of_a_type_that_was_asked_for(api: Admin) -> None:
    """By "Kubernetes API Concepts", Alternate representations of resources."""
    assert api.get(ROOMS, Accept="text/plain").status == (406, "NotAcceptable")
    assert api.get(ROOMS, Accept="text/plain, */*").code == 200
    assert api.get(ROOMS).headers["Content-Type"] == "application/json"


def test_what_is_not_there_is_named(api: Admin) -> None:
    """By "API Conventions", Response Status Kind: its example."""
    answer = api.get(f"{ROOMS}/none")

    assert answer.status == (404, "NotFound")
    assert answer.document["message"] == f'rooms.{GROUP} "none" not found'
    assert answer.document["details"] == {"name": "none", "group": GROUP, "kind": "rooms"}


def test_what_no_definition_serves_is_not_found(api: Admin) -> None:
    """In plain text, without a Status: its definition is all that a resource's path is known by."""
    for path in (f"/apis/{GROUP}/v1/doors", "/apis/nowhere.example.org/v1/rooms", f"/apis/{GROUP}/v2/rooms"):
        answer = api.get(path)
        assert (answer.code, answer.text) == (404, "404 page not found\n")
    assert api.get("/api/v1/doors").status == (404, "NotFound")


def test_a_definition_takes_its_objects_with_it(api: Admin) -> None:
    """By "Extend the Kubernetes API with CustomResourceDefinitions", Delete a CustomResourceDefinition."""
    made(api)

    api.apply([DEFINITION])

    assert api.get(ROOMS).document["items"] == []


def test_an_update_is_of_one_object(api: Admin) -> None:
    assert api.call("PUT", ROOMS, room("one")).status == (400, "BadRequest")


def test_an_object_has_a_greatest_size(api: Admin) -> None:
    """What etcd takes in one request: "Configuration options", --max-request-bytes."""
    answer = api.call("POST", ROOMS, room("one", {"owner": "me", "free": {"x": "y" * 1_700_000}}))

    assert (answer.code, answer.document["message"]) == (500, "etcdserver: request is too large")


def test_a_node_that_comes_back_has_another_uid(api: Admin) -> None:
    """By "Nodes", Node name uniqueness; "Object Names and IDs", UIDs."""
    first = api.add_node("worker")
    assert api.get("/api/v1/nodes/worker").document["metadata"]["uid"] == first
    api.remove_node("worker")
    assert api.get("/api/v1/nodes/worker").status == (404, "NotFound")
    assert api.get("/api/v1/nodes/worker").document["message"] == 'nodes "worker" not found'

    second = api.add_node("worker")

    assert first != second
    api.remove_node("worker")
