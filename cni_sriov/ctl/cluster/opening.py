"""From a cluster's file to its engine: what it names is read, and nobody is asked yet."""

from __future__ import annotations

import os

from ...conf.cluster import Cluster, Etcd
from ...words.errors import InputOutput
from .. import operatorfile
from .engine import Engine


def engine_of(name: str, cluster: Cluster, deadline: float) -> Engine:
    """All its calls together end at `deadline`, by time.monotonic(). CniError if a file that it needs cannot be used."""
    if isinstance(cluster.engine, Etcd):
        return _etcd(name, cluster.engine, deadline)
    return _kubernetes(name, cluster.engine.kubeconfig, cluster.node, deadline)


def _etcd(name: str, told: Etcd, deadline: float) -> Engine:
    from . import etcd, tls
    from .asking import Asking
    from .etcdcalls import Calls
    from .http import Client

    context = None
    if any(endpoint.is_tls for endpoint in told.endpoints):
        ca = operatorfile.text_of(told.ca, is_secret=False)
        cert = operatorfile.text_of(told.cert, is_secret=False) if told.cert else ""
        key = operatorfile.text_of(told.key) if told.key else ""
        context = tls.context(ca, told.ca, cert, key, f"{told.cert} with {told.key}")
    asking = Asking(f"ask etcd of cluster {name}", told.endpoints, Client(context), deadline)
    password = password_of(told.password_file) if told.password_file else ""
    return etcd.Etcd(Calls(asking, told.user, password), told.prefix)


def _kubernetes(name: str, path: str, node: str, deadline: float) -> Engine:
    from . import kube, kubeconfig, tls
    from .asking import Asking
    from .http import Client
    from .kubecalls import Calls

    access = kubeconfig.read(path) if path else kubeconfig.in_cluster(os.environ)
    context = None
    if access.endpoint.is_tls:
        context = tls.context(access.ca, access.ca_from, access.cert, access.key, access.cert_from)
    client = Client(context, access.server_name)
    asking = Asking(f"ask the Kubernetes API of cluster {name}", [access.endpoint], client, deadline)
    return kube.Kube(Calls(asking, access.path, access.token), node)


def password_of(path: str) -> str:
    """Its first line."""
    password = operatorfile.text_of(path).partition("\n")[0].removesuffix("\r")
    if not password:
        raise InputOutput(f"read {path}: its first line is empty", "put the password there")
    return password
