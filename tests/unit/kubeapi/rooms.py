"""What these tests fill a server with: one kind, and who may do what with it."""

from __future__ import annotations

from typing import Any

from tests.kubeapi import Admin, User, service_account

Json = dict[str, Any]
GROUP, PLURAL = "tests.example.org", "rooms"
ROOMS = f"/apis/{GROUP}/v1/{PLURAL}"
SPEC = {
    "type": "object",
    "required": ["owner"],
    "properties": {
        "owner": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 10},
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "shape": {"type": "string", "enum": ["round", "square"]},
        "colour": {"type": "string", "default": "red"},
        "since": {"type": "string", "format": "date-time"},
        "note": {"type": "string", "nullable": True},
        "shelves": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
DEFINITION: Json = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"{PLURAL}.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Cluster",
        "names": {"plural": PLURAL, "singular": "room", "kind": "Room", "listKind": "RoomList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {"spec": SPEC}}
                },
            }
        ],
    },
}
JANE = User("jane", "of-jane", ("people",))
ROBOT = service_account("kube-system", "robot", "of-the-robot")


def room(name: str, /, spec: Json | None = None, **metadata: Any) -> Json:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Room",
        "metadata": {"name": name, **metadata},
        "spec": {"owner": "me"} if spec is None else spec,
    }


def made(api: Admin, name: str = "one", spec: Json | None = None) -> Json:
    answer = api.call("POST", ROOMS, room(name, spec))
    assert answer.code == 201, answer.text
    return answer.document


def role(*rules: tuple[str, str, str], name: str = "keeper", names: tuple[str, ...] = ()) -> Json:
    """`rules`: (API group, resource, verbs with commas between)."""
    found = [{"apiGroups": [g], "resources": [r], "verbs": v.split(",")} for g, r, v in rules]
    if names:
        found = [rule | {"resourceNames": list(names)} for rule in found]
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    return {**kind, "metadata": {"name": name}, "rules": found}


def binding(*subjects: Json, name: str = "keeper") -> Json:
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding"}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    return {**kind, "metadata": {"name": name}, "roleRef": ref, "subjects": list(subjects)}


def user(name: str, kind: str = "User") -> Json:
    return {"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"}
