"""The files of clusters, /etc/cni-sriov/clusters/NAME.json: read for `pool`, judged for `validate`. Their schema finds all
that is wrong, their parser (conf/cluster.py) has the last word.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from ..conf import cluster
from ..conf.cluster import Cluster, Etcd, Kubernetes
from ..decide.facts_cluster import FileFault
from ..words.errors import BadConfig, CniError, InputOutput, typed
from ..words.jsontext import parse_object, words
from . import operatorfile, schema
from .finding import Finding, refused, warning

_IN_CLUSTER = (
    'no "kubeconfig": that is for sriovctl in a pod, and the plugin, which is in none, claims nothing by it;'
    " docs/cluster.md has a kubeconfig with a token"
)
_SAMPLES = "conf/etcd and conf/kubernetes have some to start from; `sriovctl validate {}` judges it"


def configured() -> list[str]:
    """The names of this node's clusters, sorted."""
    try:
        files = os.listdir(cluster.DIRECTORY)
    except OSError as failed:
        if failed.errno == errno.ENOENT:
            return []
        raise InputOutput(f"list {cluster.DIRECTORY}: {failed.strerror}") from failed
    return sorted(name for file in files if (name := cluster.name_of(f"{cluster.DIRECTORY}/{file}")))


def read(name: str) -> Cluster:
    """With the name of this node in it. CniError says what is wrong with the file, and names it."""
    path = cluster.path_of(name)
    try:
        found = cluster.parse(parse_object(operatorfile.text_of(path)))
        return found if found.node else Cluster(found.engine, _own_name(found.engine))
    except CniError as failed:
        failed.msg = _named(path, failed.msg)
        failed.details = f"{failed.details}\n{_SAMPLES.format(typed(path))}".lstrip()
        raise


def _own_name(engine: Etcd | Kubernetes) -> str:
    """As kubelet makes it where it is a Node's: in lower case."""
    name = os.uname().nodename
    name = name.lower() if isinstance(engine, Kubernetes) else name
    try:
        return cluster.node_name(name)
    except ValueError as failed:
        raise BadConfig(
            f"use the host's name {words(name)} as node's: it {failed}", 'give "node"'
        ) from failed


def findings(document: dict[str, Any]) -> list[Finding]:
    """An ADD's environment is a clean one, and its files are the host's: it is in no pod."""
    found = schema.judged(document, schema.CLUSTER, cluster.parse, "pool")
    if not found and document["engine"] == cluster.KUBERNETES and "kubeconfig" not in document:
        found.append(warning("", _IN_CLUSTER))
    return found


def of_file(path: str) -> list[Finding]:
    """Whether it may be read, where it is the one that will be: its place, not its text, makes it secret."""
    if not cluster.name_of(os.path.abspath(path)):
        return []
    try:
        operatorfile.text_of(path)
    except CniError as failed:
        return [refused("pool", failed)]
    return []


def faults(path: str) -> list[FileFault]:
    """What keeps `read` from it, for who is told of it elsewhere: where it is wrong, and no value, which may be a secret in the
    wrong place.
    """
    try:
        document = parse_object(operatorfile.text_of(path))
    except CniError as failed:
        has_command = failed.details.startswith(("chmod ", "chown "))
        return [FileFault(_named(path, failed.msg), failed.details if has_command else "")]
    wrong = schema.errors_of(document, schema.load(schema.CLUSTER))
    found = [f"{one.path}: {one.rule}".removeprefix(": ") for one in wrong]
    if not found:
        try:
            cluster.parse(document)
        except BadConfig:  # all that the schema does not see, by its description
            found = ["a port or an address in it is none"]
    return [FileFault(f"{path}: {one}") for one in found]


def _named(path: str, told: str) -> str:
    """With the file's path in it."""
    return told if path in told else f"{path}: {told}"
