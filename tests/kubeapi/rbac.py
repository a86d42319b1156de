"""Who may do what: "Using RBAC Authorization", and the verbs of "Authorization Overview"."""

from __future__ import annotations

from typing import Any, NamedTuple

from .client import User
from .schema import Resource

Json = dict[str, Any]
ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole")
BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding")
ALL = "*"
AUTHENTICATED = "system:authenticated"
ANONYMOUS = User("system:anonymous", "", ("system:unauthenticated",))
MASTERS = "system:masters"
# the default bindings: system:public-info-viewer of everyone, system:discovery of whoever is known
PUBLIC = ("/healthz", "/livez", "/readyz", "/version", "/version/")
DISCOVERY = ("/api", "/apis", "/openapi")


class Attributes(NamedTuple):
    verb: str
    group: str
    resource: str  # "rooms", "rooms/status"
    name: str = ""


def may(user: User, asked: Attributes, roles: list[Json], bindings: list[Json]) -> bool:
    if MASTERS in user.groups:
        return True
    rules = {role["metadata"]["name"]: role.get("rules") or [] for role in roles}
    return any(
        _covers(rule, asked)
        for binding in bindings
        if any(_is(subject, user) for subject in binding.get("subjects") or [])
        for rule in rules.get(binding["roleRef"]["name"], [])
    )


def may_read(user: User, path: str) -> bool:
    """A path that is no resource."""
    if MASTERS in user.groups or path in PUBLIC:
        return True
    return user is not ANONYMOUS and any(path == top or path.startswith(f"{top}/") for top in DISCOVERY)


def _is(subject: Json, user: User) -> bool:
    if subject["kind"] == "ServiceAccount":
        return user.name == f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
    if subject["kind"] == "Group":
        return subject["name"] in user.groups or (subject["name"] == AUTHENTICATED and user is not ANONYMOUS)
    return bool(subject["name"] == user.name)


def _covers(rule: Json, asked: Attributes) -> bool:
    """With `resourceNames`, a request that names nothing in its address is not covered: create, list, deletecollection."""
    names = rule.get("resourceNames")
    return (
        _has(rule.get("verbs"), asked.verb)
        and _has(rule.get("apiGroups"), asked.group)
        and _has(rule.get("resources"), asked.resource)
        and (not names or asked.name in names)
    )


def _has(allowed: list[str] | None, word: str) -> bool:
    return word in (allowed or ()) or ALL in (allowed or ())
