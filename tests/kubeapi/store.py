"""The objects, each change a version: "Kubernetes API Concepts", "Resource versions" and "Retrieving large results sets"."""

from __future__ import annotations

import base64
import copy
import datetime
import json
import secrets
import uuid
from typing import Any, NamedTuple

from . import status
from .schema import Resource

Json = dict[str, Any]
MOST_BYTES = 3 << 19  # etcd's --max-request-bytes
Place = tuple[str, str]  # namespace ("" of the cluster), name

KEPT = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


class Page(NamedTuple):
    items: list[Json]
    version: str
    after: str  # the continue token, "" at the end
    remaining: int | None


class Store:
    """Used under the server's one lock."""

    def __init__(self, first_version: int = 1_000_000) -> None:
        self.version = first_version
        self._objects: dict[tuple[str, str], dict[Place, Json]] = {}  # by group and plural
        self._snapshots: dict[str, list[Json]] = {}  # of lists that somebody reads page by page, by version

    def all(self, resource: Resource, namespace: str = "") -> list[Json]:
        """In the order of their keys; copies."""
        held = sorted(self._of(resource).items())
        return [copy.deepcopy(found) for (where, _), found in held if not namespace or where == namespace]

    def get(self, resource: Resource, place: Place) -> Json:
        try:
            return copy.deepcopy(self._of(resource)[place])
        except KeyError:
            raise status.not_found(resource.plural, resource.group, place[1]) from None

    def add(self, resource: Resource, place: Place, document: Json, *, keep: bool = True) -> Json:
        """`keep`: not where it is a dry run."""
        if place in self._of(resource):
            raise status.already_exists(resource.plural, resource.group, place[1])
        metadata = document["metadata"] | {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": now(),
            "generation": 1,
        }
        metadata.pop("deletionTimestamp", None)
        return self._put(resource, place, document | {"metadata": metadata}, keep=keep)

    def replace(self, resource: Resource, place: Place, document: Json, *, keep: bool = True) -> Json:
        """Where the caller read what is there: same `resourceVersion`, and same `uid` if it says one."""
        asked = document["metadata"]
        if place not in self._of(resource) and asked.get("uid"):
            why = f"StorageError: invalid object: Precondition failed: UID in precondition: {asked['uid']}, UID in object meta: "
            raise status.conflict(resource.plural, resource.group, place[1], why)
        held = self.get(resource, place)
        has = held["metadata"]
        if asked.get("uid", has["uid"]) != has["uid"]:
            why = (
                f"Precondition failed: UID in precondition: {asked['uid']}, UID in object meta: {has['uid']}"
            )
            raise status.conflict(resource.plural, resource.group, place[1], why)
        if asked["resourceVersion"] != has["resourceVersion"]:
            raise status.conflict(resource.plural, resource.group, place[1], status.STALE)
        kept = {
            key: has[key]
            for key in ("uid", "creationTimestamp", "generation", "deletionTimestamp")
            if key in has
        }
        new = document | {"metadata": asked | kept}
        if new == held:
            return held  # nothing is written
        if _content(new) != _content(held):
            new["metadata"]["generation"] += 1
        if "deletionTimestamp" in has and not new["metadata"].get("finalizers"):
            return self._drop(resource, place)
        return self._put(resource, place, new, keep=keep)

    def remove(self, resource: Resource, place: Place, preconditions: Json, *, keep: bool = True) -> Json:
        """What was there; with a finalizer it stays, marked ("Finalizers")."""
        held = self.get(resource, place)
        for key, title in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            asked, has = preconditions.get(key), held["metadata"][key]
            if asked is not None and asked != has:
                raise status.precondition(resource.kind, resource.group, place[1], title, asked, has)
        if not keep:
            return held
        if held["metadata"].get("finalizers"):
            if "deletionTimestamp" not in held["metadata"]:
                held["metadata"] |= {
                    "deletionTimestamp": now(),
                    "deletionGracePeriodSeconds": 0,
                    "generation": 2,
                }
            return self._put(resource, place, held)
        return self._drop(resource, place)

    def page(self, resource: Resource, namespace: str, limit: int, token: str) -> Page:
        if not token:
            version, items, start = str(self.version), self.all(resource, namespace), 0
        else:
            version, start = _decoded(token)
            if version not in self._snapshots:
                raise status.expired()
            items = self._snapshots[version]
        end = start + limit if limit else len(items)
        if end >= len(items):
            return Page(items[start:], version, "", None)
        self._snapshots[version] = items
        return Page(items[start:end], version, _encoded(version, end), len(items) - end)

    def forget_pages(self) -> None:
        """As five minutes do: no list can be continued any more."""
        self._snapshots.clear()

    def _of(self, resource: Resource) -> dict[Place, Json]:
        return self._objects.setdefault((resource.group, resource.plural), {})

    def _put(self, resource: Resource, place: Place, document: Json, *, keep: bool = True) -> Json:
        if len(json.dumps(document)) > MOST_BYTES:
            raise status.unnamed("etcdserver: request is too large")
        if not keep:
            document["metadata"].pop("resourceVersion", None)
            return document
        self.version += secrets.randbelow(5) + 2
        document["metadata"]["resourceVersion"] = str(self.version)
        self._of(resource)[place] = copy.deepcopy(document)
        return document

    def _drop(self, resource: Resource, place: Place) -> Json:
        self.version += secrets.randbelow(5) + 2
        return self._of(resource).pop(place)


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _content(document: Json) -> Json:
    return {key: value for key, value in document.items() if key != "metadata"}


def _encoded(version: str, start: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, start]).encode()).decode().rstrip("=")


def _decoded(token: str) -> tuple[str, int]:
    try:
        version, start = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError:
        raise status.bad_request(
            "invalid continue token: continue key is not valid: invalid character"
        ) from None
    return version, start
