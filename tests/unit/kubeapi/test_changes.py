"""Changes, deletions and lists as the documentation says; each test names its page. For the stand-in and a real server alike."""

from __future__ import annotations

import pytest

from tests.kubeapi import Admin

from .rooms import GROUP, ROOMS, made, room

PARTIAL = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


def test_an_update_is_of_the_version_that_was_read(api: Admin) -> None:
    """By "API Conventions", Concurrency Control and Consistency."""
    read = made(api)
    first = api.call("PUT", f"{ROOMS}/one", read | {"spec": {"owner": "you"}})

    late = api.call("PUT", f"{ROOMS}/one", read | {"spec": {"owner": "him"}})

    assert first.code == 200
    assert first.document["metadata"]["resourceVersion"] != read["metadata"]["resourceVersion"]
    assert first.document["metadata"]["generation"] == 2
    assert late.status == (409, "Conflict")
    assert late.document["message"].startswith(f'Operation cannot be fulfilled on rooms.{GROUP} "one": ')
    assert api.get(f"{ROOMS}/one").document["spec"]["owner"] == "you"


def test_an_update_names_a_version(api: Admin) -> None:
    read = made(api)
    del read["metadata"]["resourceVersion"]

    answer = api.call("PUT", f"{ROOMS}/one", read)

    assert answer.status == (422, "Invalid")
    assert [cause["field"] for cause in answer.document["details"]["causes"]] == ["metadata.resourceVersion"]


def test_an_update_that_changes_nothing_is_none(api: Admin) -> None:
    read = made(api)

    assert api.call("PUT", f"{ROOMS}/one", read).document == read


def test_an_update_is_of_the_object_that_its_address_names(api: Admin) -> None:
    read = made(api)

    assert api.call("PUT", f"{ROOMS}/other", read).status == (400, "BadRequest")


def test_an_update_makes_no_object(api: Admin) -> None:
    """Not found, or a conflict where it says which object it means."""
    read = made(api)
    api.call("DELETE", f"{ROOMS}/one")

    assert api.call("PUT", f"{ROOMS}/one", read).status == (409, "Conflict")
    del read["metadata"]["uid"]
    assert api.call("PUT", f"{ROOMS}/one", read).status == (404, "NotFound")


def test_an_update_of_another_object_of_that_name_is_a_conflict(api: Admin) -> None:
    read = made(api)
    api.call("DELETE", f"{ROOMS}/one")
    again = made(api)
    read["metadata"]["resourceVersion"] = again["metadata"]["resourceVersion"]

    answer = api.call("PUT", f"{ROOMS}/one", read)

    assert answer.status == (409, "Conflict")
    assert "Precondition failed: UID in precondition" in answer.document["message"]


def test_an_update_is_judged_too(api: Admin) -> None:
    read = made(api)

    assert api.call("PUT", f"{ROOMS}/one", read | {"spec": {"owner": "ME"}}).status == (422, "Invalid")


def test_a_merge_patch_changes_what_it_names(api: Admin) -> None:
    """By "API Conventions", PATCH operations."""
    read, merge = made(api), {"Content-Type": "application/merge-patch+json"}

    answer = api.call("PATCH", f"{ROOMS}/one", {"spec": {"size": 3}}, merge)
    stale = {"metadata": {"resourceVersion": read["metadata"]["resourceVersion"]}, "spec": {"size": 4}}

    assert (answer.code, answer.document["spec"]) == (200, {"owner": "me", "colour": "red", "size": 3})
    assert api.call("PATCH", f"{ROOMS}/one", stale, merge).status == (409, "Conflict")


@pytest.mark.parametrize("wrong", ["uid", "resourceVersion"])
def test_a_deletion_has_preconditions(api: Admin, wrong: str) -> None:
    """API reference, DeleteOptions and Preconditions: both must be fulfilled, else 409 Conflict."""
    metadata = made(api)["metadata"]
    right = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    options = {"apiVersion": "v1", "kind": "DeleteOptions"}

    refused = api.call("DELETE", f"{ROOMS}/one", options | {"preconditions": right | {wrong: "12"}})

    assert refused.status == (409, "Conflict")
    assert "the precondition (12) does not match" in refused.document["message"]
    assert api.get(f"{ROOMS}/one").code == 200
    done = api.call("DELETE", f"{ROOMS}/one", options | {"preconditions": right})
    assert (done.code, done.document["kind"], done.document["status"]) == (200, "Status", "Success")
    assert done.document["details"] == {
        "name": "one",
        "group": GROUP,
        "kind": "rooms",
        "uid": metadata["uid"],
    }
    assert api.get(f"{ROOMS}/one").code == 404
    assert api.call("DELETE", f"{ROOMS}/one", options).status == (404, "NotFound")


def test_the_next_object_of_a_name_is_another_one(api: Admin) -> None:
    """By "Object Names and IDs", UIDs."""
    before = made(api)["metadata"]
    api.call("DELETE", f"{ROOMS}/one")

    after = made(api)["metadata"]

    assert before["uid"] != after["uid"]
    assert before["resourceVersion"] != after["resourceVersion"]


def test_a_finalizer_keeps_an_object_until_it_is_taken_off(api: Admin) -> None:
    """By "Extend the Kubernetes API with CustomResourceDefinitions", Finalizers."""
    api.call("POST", ROOMS, room("one", finalizers=["tests.example.org/wait"]))

    answer = api.call("DELETE", f"{ROOMS}/one")

    assert (answer.code, answer.document["kind"]) == (200, "Room")
    held = api.get(f"{ROOMS}/one").document
    assert held["metadata"]["deletionTimestamp"]
    held["metadata"]["finalizers"] = []
    assert api.call("PUT", f"{ROOMS}/one", held).code == 200
    assert api.get(f"{ROOMS}/one").code == 404


def test_a_dry_run_is_judged_and_forgotten(api: Admin) -> None:
    """By "Kubernetes API Concepts", Dry-run."""
    assert api.call("POST", f"{ROOMS}?dryRun=All", room("one")).code == 201
    assert api.call("POST", f"{ROOMS}?dryRun=All", room("one", {"owner": "ME"})).code == 422
    assert api.get(f"{ROOMS}/one").code == 404


def test_a_list_is_in_pages_of_one_moment(api: Admin) -> None:
    """By "Kubernetes API Concepts", Retrieving large results sets in chunks."""
    for name in "abcde":
        made(api, name)
    first = api.get(f"{ROOMS}?limit=2").document
    api.call("DELETE", f"{ROOMS}/d")
    made(api, "cc")

    second = api.get(f"{ROOMS}?limit=2&continue={first['metadata']['continue']}").document
    third = api.get(f"{ROOMS}?limit=2&continue={second['metadata']['continue']}").document

    pages = [first, second, third]
    assert [[one["metadata"]["name"] for one in page["items"]] for page in pages] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
    ]
    assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1
    assert [page["metadata"].get("remainingItemCount") for page in pages] == [3, 1, None]
    assert third["metadata"]["continue"] == ""
    assert (first["kind"], first["apiVersion"]) == ("RoomList", f"{GROUP}/v1")
    names = [one["metadata"]["name"] for one in api.get(ROOMS).document["items"]]
    assert names == ["a", "b", "c", "cc", "e"]


def test_a_token_that_is_none_continues_nothing(api: Admin) -> None:
    assert api.get(f"{ROOMS}?limit=2&continue=rubbish").status == (400, "BadRequest")


def test_a_list_may_be_of_metadata_alone(api: Admin) -> None:
    """By "Kubernetes API Concepts", Metadata-only fetches."""
    whole = made(api)

    found = api.get(ROOMS, Accept=f"{PARTIAL},application/json").document

    assert (found["kind"], found["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    (one,) = found["items"]
    assert one.keys() == {"kind", "apiVersion", "metadata"}
    assert {key: one["metadata"][key] for key in ("name", "uid", "resourceVersion")} == {
        key: whole["metadata"][key] for key in ("name", "uid", "resourceVersion")
    }


def test_a_list_may_be_of_one_name_or_of_equal_labels(api: Admin) -> None:
    """By "Field Selectors": custom resources have metadata.name; "Labels and Selectors"."""
    made(api, "one")
    api.call("POST", ROOMS, room("two", labels={"a": "b"}))

    for query in ("fieldSelector=metadata.name%3Dtwo", "labelSelector=a%3Db"):
        assert [one["metadata"]["name"] for one in api.get(f"{ROOMS}?{query}").document["items"]] == ["two"]
    assert api.get(f"{ROOMS}?fieldSelector=spec.owner%3Dme").status == (400, "BadRequest")
