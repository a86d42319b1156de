"""A stand-in for the Kubernetes API server, written from the API's documentation, which its comments name by title.

`StandIn` has custom resources of given manifests (judged, pruned and defaulted by their schema), users by token and by client
certificate, RBAC, optimistic concurrency, preconditions, lists in pages, Node objects, and faults on demand. It has no
watch, no JSON Patch, no server-side apply, no admission. tests/unit/kubeapi holds it to the documentation, and the
same tests hold for a real kube-apiserver (real.py).
"""

from __future__ import annotations

from pathlib import Path

from .client import ADMIN as ADMIN
from .client import Admin as Admin
from .client import Answer as Answer
from .client import Caller as Caller
from .client import Json as Json
from .client import User as User
from .client import kubeconfig as kubeconfig
from .client import manifests as manifests
from .client import service_account as service_account
from .real import KUBE_APISERVER as KUBE_APISERVER
from .real import RealApi as RealApi
from .server import StandIn as StandIn

SERVERS = ("stand-in", "kube-apiserver") if KUBE_APISERVER else ("stand-in",)


def start(which: str, directory: Path, *users: User) -> Admin:
    """One of SERVERS."""
    return StandIn(directory, *users) if which == "stand-in" else RealApi(directory, *users)
