"""What the tests of shared pools by the Kubernetes API have in common: the sample manifests, an API server, its nodes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tests.kubeapi import Admin, Json, User, manifests
from tests.pages import ROOT

GROUP = "cni-sriov.io"
BLOCKS, POOLS, NODES = (
    f"/apis/{GROUP}/v1alpha1/{plural}" for plural in ("subnetblocks", "subnetpools", "subnetnodes")
)
HOME = ROOT / "conf/kubernetes/shared-pool"
ROLE, OPERATORS = "cni-sriov-shared-pool", "cni-sriov-shared-pool-operator"


def samples() -> list[Json]:
    """What an administrator applies: all that the kustomization names."""
    (listed,) = manifests(HOME / "kustomization.yaml")
    return [document for name in listed["resources"] for document in manifests(HOME / name)]


def of_kind(kind: str, documents: list[Json]) -> list[Json]:
    return [document for document in documents if document["kind"] == kind]


def rules(documents: list[Json], role: str) -> list[tuple[str, str, str]]:
    """(verb, group, resource) that a ClusterRole grants, one by one."""
    (found,) = [one for one in of_kind("ClusterRole", documents) if one["metadata"]["name"] == role]
    return sorted(
        (verb, group, resource)
        for rule in found["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    )


def without(documents: list[Json], role: str, verb: str, resource: str) -> list[Json]:
    """The manifests, but for one verb of one resource."""
    found = copy.deepcopy(documents)
    for one in of_kind("ClusterRole", found):
        if one["metadata"]["name"] == role:
            one["rules"] = list(_split(one["rules"], verb, resource))
    return found


def _split(granted: list[Json], verb: str, resource: str) -> Iterator[Json]:
    for rule in granted:
        for one in rule["resources"]:
            verbs = [word for word in rule["verbs"] if (one, word) != (resource, verb)]
            if verbs:
                yield rule | {"resources": [one], "verbs": verbs}


def kubelet(node: str) -> User:
    """Whom the kubelet's kubeconfig stands for: "Using Node Authorization"."""
    return User(f"system:node:{node}", f"token-of-{node}", ("system:nodes",))


OPERATOR = User("olga", "token-of-olga")


def operators() -> Json:
    """Olga may what the sample gives operators; it binds nobody."""
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": OPERATORS}
    subject = {"kind": "User", "name": OPERATOR.name, "apiGroup": "rbac.authorization.k8s.io"}
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding"}
    return kind | {"metadata": {"name": "operators"}, "roleRef": ref, "subjects": [subject]}


def stored(api: Admin, path: str) -> dict[str, Any]:
    """Name -> spec."""
    return {one["metadata"]["name"]: one["spec"] for one in api.get(path).document["items"]}
