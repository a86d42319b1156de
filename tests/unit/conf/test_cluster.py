"""A cluster's file: what each key comes to, what is refused and with which words. The table of good and bad ones is judged
by parser and schema in tests/unit/ctl/test_clusterjson.py.
"""

from __future__ import annotations

import pytest

from cni_sriov.conf import cluster
from cni_sriov.conf.cluster import Cluster, Endpoint, Etcd, Kubernetes
from cni_sriov.words.errors import BadConfig
from tests.unit.conf.cluster_table import KUBERNETES, LOCAL, TLS, etcd
from tests.unit.conf.conf_table import Json


def test_the_least_that_can_be_said() -> None:
    assert cluster.parse(LOCAL) == Cluster(
        Etcd([Endpoint(False, "127.0.0.1", 2379)], prefix="/cni-sriov"), ""
    )
    assert cluster.parse(KUBERNETES) == Cluster(Kubernetes(""), "")


def test_all_that_can_be_said() -> None:
    endpoints = ["https://[fd00::1]:2379", "http://localhost:1"]
    paths = {"ca": "/ca", "cert": "/c", "key": "/k", "passwordFile": "/p"}
    found = cluster.parse(etcd(endpoints=endpoints, user="u", prefix="/x", node="n1", **paths))

    listed = [Endpoint(True, "fd00::1", 2379), Endpoint(False, "localhost", 1)]
    assert found == Cluster(Etcd(listed, "/ca", "/c", "/k", "u", "/p", "/x"), "n1")
    assert cluster.parse(KUBERNETES | {"kubeconfig": "/k", "node": "n1"}) == Cluster(Kubernetes("/k"), "n1")


@pytest.mark.parametrize(
    "text", ["https://[fd00::1]:2379", "http://localhost:1", "https://a-b.example:65535"]
)
def test_an_endpoint_is_told_as_it_was_given(text: str) -> None:
    assert str(cluster.endpoint(text)) == text


@pytest.mark.parametrize(("document", "words", "details"), [
    ({}, 'read the file: has no "engine"', 'say which it is: "etcd" or "kubernetes"'),
    ({"engine": "consul"}, 'read engine "consul": must be one of etcd, kubernetes', ""),
    ({"engine": "etcd"}, 'read the file: has no "endpoints"', 'like "endpoints": ["https://10.0.0.1:2379"]'),
    (etcd(ca=None), 'read the file: has https endpoints and no "ca"', "always verified"),
    (etcd(cert="/c"), 'read the file: has "cert" and no "key"', "they go together"),
    (etcd(passwordFile="/p"), 'read the file: has "passwordFile" and no "user"', "they go together"),
    (etcd(password="hunter2"), 'read "password": unknown key of the engine etcd', "known are $schema, engine, node, endp"),
    (KUBERNETES | {"ca": "/ca"}, 'read "ca": unknown key of the engine kubernetes', "$schema, engine, node, kubeconfig"),
    (etcd(endpoints=["https://a:1", "http://a:1"]), 'read endpoints[1] "http://a:1": must be https', ""),
    (etcd(endpoints=["https://a:1", "b"]), 'read endpoints[1] "b": must be like https://10.0.0.1:2379', ""),
    (etcd(ca="ca.pem"), 'read ca "ca.pem": must be an absolute path', ""),
    (etcd(node="a b"), 'read node "a b": must be a node\'s name', ""),
])  # fmt: skip
def test_what_is_wrong_is_named(document: Json, words: str, details: str) -> None:
    with pytest.raises(BadConfig) as refused:
        cluster.parse(document)

    assert words in refused.value.msg
    assert details in refused.value.details


@pytest.mark.parametrize(("document", "expected"), [
    (TLS, True),
    ({"engine": 7}, True),
    ({"endpoints": []}, False),
    ({"engine": "etcd", "type": "sriov"}, False),
    ({"engine": "etcd", "plugins": []}, False),
    ({"engine": "etcd", "kind": "List"}, False),
    ({}, False),
])  # fmt: skip
def test_a_clusters_file_is_told_by_its_keys(document: Json, expected: bool) -> None:
    assert cluster.is_one(document) is expected


@pytest.mark.parametrize(("path", "name"), [
    ("/etc/cni-sriov/clusters/rack.json", "rack"),
    ("/etc/cni-sriov/clusters/rack.2.json", "rack.2"),
    ("/etc/cni-sriov/clusters/.json", ""),
    ("/etc/cni-sriov/clusters/.rack.json.swp", ""),
    ("/etc/cni-sriov/clusters/rack", ""),
    ("/etc/cni-sriov/clusters/x/rack.json", ""),
    ("/etc/cni-sriov/clusters/" + "r" * 65 + ".json", ""),
    ("/tmp/rack.json", ""),
])  # fmt: skip
def test_a_cluster_is_called_as_its_file(path: str, name: str) -> None:
    assert cluster.name_of(path) == name
    assert not name or cluster.path_of(name) == path


@pytest.mark.parametrize("text", ["https://root:hunter2@10.0.0.1:2379", "hunter2@10.0.0.1:2379"])
def test_a_password_in_an_endpoint_is_not_told(text: str) -> None:
    """It ends in the runtime's log."""
    with pytest.raises(BadConfig, match=r"endpoints\[1\]: has a user in it") as caught:
        cluster.parse({"engine": "etcd", "ca": "/ca", "endpoints": ["https://10.0.0.1:2379", text]})
    assert "hunter2" not in str(caught.value)
