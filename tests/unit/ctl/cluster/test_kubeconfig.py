"""What is read of a kubeconfig, and what is refused; a pod's own way."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from cni_sriov.conf.cluster import Cluster, Endpoint, Kubernetes
from cni_sriov.ctl.cluster import kubeconfig, opening
from cni_sriov.ctl.cluster.engine import EngineRefused
from cni_sriov.words.errors import CniError
from tests.kubeapi import StandIn, manifests, service_account
from tests.unit.ctl.cluster import contract

SHARED = Path(__file__).parents[4] / "conf/kubernetes/shared-pool"
Json = dict[str, Any]


def data(text: str) -> str:
    return b64encode(text.encode()).decode()


CLUSTER: Json = {"server": "https://10.0.0.1:6443", "certificate-authority-data": data("the ca")}
TOKEN: Json = {"token": "abc"}


def put(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def config(cluster: Json = CLUSTER, user: Json = TOKEN) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "b",
        "contexts": [
            {"name": "a", "context": {"cluster": "other", "user": "other"}},
            {"name": "b", "context": {"cluster": "c", "user": "u"}},
        ],
        "clusters": [{"name": "other", "cluster": {"server": "x"}}, {"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }


def read(tmp_path: Path, cluster: Json = CLUSTER, user: Json = TOKEN) -> kubeconfig.Access:
    return kubeconfig.read(put(tmp_path / "config", yaml.safe_dump(config(cluster, user))))


def refusal(tmp_path: Path, cluster: Json = CLUSTER, user: Json = TOKEN) -> str:
    with pytest.raises(CniError) as refused:
        read(tmp_path, cluster, user)
    assert str(tmp_path) in refused.value.msg
    return str(refused.value)


def test_the_current_context_is_taken(tmp_path: Path) -> None:
    found = read(tmp_path)

    assert (found.endpoint, found.path, found.ca) == (Endpoint(True, "10.0.0.1", 6443), "", "the ca")
    assert (found.token, found.cert, found.key, found.server_name) == ("abc", "", "", "")


def test_json_will_do(tmp_path: Path) -> None:
    assert kubeconfig.read(put(tmp_path / "config", json.dumps(config()))).token == "abc"


@pytest.mark.parametrize(("server", "endpoint", "path"), [
    ("https://api.example", Endpoint(True, "api.example", 443), ""),
    ("https://api.example/", Endpoint(True, "api.example", 443), ""),
    ("https://[fd00::1]:6443", Endpoint(True, "fd00::1", 6443), ""),
    ("https://rancher.example/k8s/clusters/c-1", Endpoint(True, "rancher.example", 443), "/k8s/clusters/c-1"),
    ("http://127.0.0.1:8001", Endpoint(False, "127.0.0.1", 8001), ""),
])  # fmt: skip
def test_a_server_is_a_url(tmp_path: Path, server: str, endpoint: Endpoint, path: str) -> None:
    found = read(tmp_path, CLUSTER | {"server": server})

    assert (found.endpoint, found.path) == (endpoint, path)


def test_certificates_are_in_it_or_in_files_beside_it(tmp_path: Path) -> None:
    put(tmp_path / "newest.pem", "cert and key")
    (tmp_path / "kubelet.pem").symlink_to("newest.pem")
    put(tmp_path / "ca.pem", "a ca", 0o644)
    cluster = {"server": "https://a:1", "certificate-authority": "ca.pem", "tls-server-name": "kubernetes"}
    own = {"client-certificate": str(tmp_path / "kubelet.pem"), "client-key": "kubelet.pem"}
    inline = {"client-certificate-data": data("C"), "client-key-data": data("K"), "client-key": "/none"}

    files, inside = read(tmp_path, cluster, own), read(tmp_path, user=inline)

    assert (files.ca, files.ca_from, files.server_name) == ("a ca", str(tmp_path / "ca.pem"), "kubernetes")
    assert (files.cert, files.key, files.token) == ("cert and key", "cert and key", "")
    assert (inside.cert, inside.key, inside.cert_from) == (
        "C",
        "K",
        f"client-certificate-data of {tmp_path}/config",
    )


def test_a_token_file_goes_before_a_token_for_it_is_renewed(tmp_path: Path) -> None:
    put(tmp_path / "token", "newer\n")

    assert read(tmp_path, user={"token": "older", "tokenFile": "token"}).token == "newer"


@pytest.mark.parametrize(("user", "told"), [
    ({"exec": {"command": "aws"}}, "exec is refused: no program is run for a password"),
    ({"auth-provider": {"name": "oidc"}}, "auth-provider is refused"),
    ({"username": "u", "password": "hunter2"}, "username is refused: the API takes no password"),
    ({"token": "abc", "as": "root"}, "as is refused: nobody is impersonated"),
    ({"client-certificate-data": data("C")}, "client-certificate and client-key go together"),
    ({"client-certificate-data": "%%%", "client-key-data": data("K")}, "client-certificate-data is no PEM in base64"),
    ({"tokenFile": "none"}, "No such file"),
    ({"token": "a b hunter2"}, "its token is none"),
    ({"token": "a\r\nX-Remote-User: root"}, "its token is none"),
])  # fmt: skip
def test_a_user_that_is_none_of_ours(tmp_path: Path, user: Json, told: str) -> None:
    found = refusal(tmp_path, user=user)

    assert told in found
    assert "hunter2" not in found


@pytest.mark.parametrize(("cluster", "told"), [
    (CLUSTER | {"insecure-skip-tls-verify": True}, "insecure-skip-tls-verify is refused"),
    (CLUSTER | {"proxy-url": "http://p"}, "proxy-url is refused"),
    ({"server": "https://a:1"}, "it has no certificate-authority"),
    ({"certificate-authority-data": data("x")}, 'it has no "server"'),
    (CLUSTER | {"server": "a:6443"}, "is no URL"),
    (CLUSTER | {"server": "https://a:1?x"}, "is no URL"),
    (CLUSTER | {"server": "https://u:p@a:1"}, "server has a user in it"),
    (CLUSTER | {"server": "http://10.0.0.1:8080"}, "must be https"),
    (CLUSTER | {"server": "https://a:99999"}, "must be like"),
    ({"server": "https://a:1", "certificate-authority": "none"}, "No such file"),
])  # fmt: skip
def test_a_cluster_that_is_none_of_ours(tmp_path: Path, cluster: Json, told: str) -> None:
    assert told in refusal(tmp_path, cluster)


@pytest.mark.parametrize(("text", "told"), [
    ("", "it is no kubeconfig"),
    ("[]", "it is no kubeconfig"),
    ("a: [", "it is no kubeconfig, line 1"),
    ("a: 1\n---\nb: 2", "it is no kubeconfig"),
    ("kind: Config", 'it has no "current-context"'),
    ("current-context: x", 'it has no context "x"'),
    ("current-context: x\ncontexts: [{name: x}]", 'it has no "cluster"'),
    ("current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: 7", 'it has no cluster "c"'),
])  # fmt: skip
def test_what_is_no_kubeconfig(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(CniError) as refused:
        kubeconfig.read(put(tmp_path / "config", text))
    assert told in refused.value.msg


def test_it_is_a_secret_and_so_is_what_it_names(tmp_path: Path) -> None:
    put(tmp_path / "key", "K", 0o644)
    own = {"client-certificate-data": data("C"), "client-key": "key"}
    assert "others must not read it" in refusal(tmp_path, user=own)
    with pytest.raises(CniError, match="others must not read it"):
        kubeconfig.read(put(tmp_path / "open", yaml.safe_dump(config()), 0o644))


def test_a_pod_is_its_service_account(tmp_path: Path) -> None:
    put(tmp_path / "real", "abc\n", 0o644)
    (tmp_path / "token").symlink_to("real")
    put(tmp_path / "ca.crt", "the ca", 0o644)
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}

    found = kubeconfig.in_cluster(environment, str(tmp_path))

    assert (found.endpoint, found.ca, found.token) == (Endpoint(True, "fd00::1", 443), "the ca", "abc")


def test_who_is_no_pod_is_told_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(CniError) as refused:
        kubeconfig.in_cluster({}, str(tmp_path))

    assert "this is no pod" in refused.value.msg
    assert 'give "kubeconfig"' in refused.value.details


def test_the_sample_of_a_token_has_the_rights_of_a_node(tmp_path: Path) -> None:
    """By the objects and the kubeconfig of conf/kubernetes/shared-pool, as docs/cluster.md has them on a node."""
    name = "cni-sriov-shared-pool"
    user, stranger = (service_account("kube-system", one, f"of-{one}") for one in (name, "another"))
    api = StandIn(tmp_path, user, stranger)
    try:
        for file in ("crd.yaml", "rbac.yaml", "serviceaccount.yaml"):
            api.apply(manifests(SHARED / file))
        assert api.ca is not None
        put(tmp_path / "ca.crt", api.ca.read_text())
        sample = (SHARED / "token.kubeconfig").read_text().replace("https://10.0.0.1:6443", api.url)
        path = put(tmp_path / "kubeconfig", sample)
        asked = Cluster(Kubernetes(str(path)), "n1")
        put(tmp_path / "token", f"{user.token}\n")
        contract.blocks(opening.engine_of("rack", asked, time.monotonic() + 20))
        put(tmp_path / "token", f"{stranger.token}\n")
        with pytest.raises(EngineRefused, match="it forbids that"):
            opening.engine_of("rack", asked, time.monotonic() + 20).blocks()
    finally:
        api.close()
