"""Files about a cluster that lie where nobody answers. A FIFO opens at once for who does not wait, so open() itself blocks here."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.conf import cluster
from cni_sriov.ctl import clusterjson, operatorfile
from cni_sriov.ctl.cluster import opening
from cni_sriov.words.errors import InputOutput, TryAgain
from tests.unit.ctl.cluster.conftest import certificates
from tests.unit.ctl.cluster.server import Certificates

__all__ = ["certificates"]  # a fixture

TOKEN = "a token"


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The paths that it has never return from open()."""
    paths: set[str] = set()
    back, opened = threading.Event(), os.open

    def blocking(path: Any, *more: Any, **keys: Any) -> int:
        if path in paths:
            back.wait(60)
        return opened(path, *more, **keys)

    monkeypatch.setattr(os, "open", blocking)
    monkeypatch.setattr(operatorfile, "PATIENCE_S", 0.1)
    yield paths
    back.set()


def test_a_file_is_read_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text(TOKEN)
    path.chmod(0o644)
    assert operatorfile.text_of(str(path), is_secret=False) == TOKEN
    with pytest.raises(InputOutput, match="its mode is 0644"):
        operatorfile.text_of(str(path))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputOutput, match="it is no regular file"):
        operatorfile.text_of(str(tmp_path / "fifo"))


@pytest.mark.parametrize("which", ["ca", "cert", "key", "passwordFile"])
def test_what_an_etcd_needs_is_waited_for_and_named(
    certificates: Certificates, tmp_path: Path, hung: set[str], which: str
) -> None:
    password = tmp_path / "password"
    password.write_text(TOKEN)
    password.chmod(0o600)
    files = {"ca": "ca.pem", "cert": "client.pem", "key": "client.key"}
    told = {key: certificates.path(name) for key, name in files.items()} | {"passwordFile": str(password)}
    conf = {"engine": "etcd", "endpoints": ["https://127.0.0.1:1"], "user": "u"} | told
    hung.add(told[which])

    with pytest.raises(TryAgain, match=f"read {told[which]}: nothing came of it within 0.1 s"):
        opening.engine_of("rack", cluster.parse(conf), time.monotonic() + 20)


@pytest.mark.parametrize("which", ["kubeconfig", "ca", "token"])
def test_what_kubernetes_needs_is_waited_for_and_named(
    certificates: Certificates, tmp_path: Path, hung: set[str], which: str
) -> None:
    paths = {
        "kubeconfig": tmp_path / "conf",
        "ca": Path(certificates.path("ca.pem")),
        "token": tmp_path / "token",
    }
    paths["token"].write_text(TOKEN.replace(" ", ""))
    context = "{name: a, context: {cluster: a, user: a}}"
    server = f'{{name: a, cluster: {{server: "https://127.0.0.1:1", certificate-authority: {paths["ca"]}}}}}'
    user = f"{{name: a, user: {{tokenFile: {paths['token']}}}}}"
    paths["kubeconfig"].write_text(
        f"current-context: a\ncontexts: [{context}]\nclusters: [{server}]\nusers: [{user}]\n"
    )
    for name in ("kubeconfig", "token"):
        paths[name].chmod(0o600)
    conf = {"engine": "kubernetes", "node": "n1", "kubeconfig": str(paths["kubeconfig"])}
    opening.engine_of("rack", cluster.parse(conf), time.monotonic() + 20)
    hung.add(str(paths[which]))

    with pytest.raises(TryAgain, match=f"read {paths[which]}: nothing came"):
        opening.engine_of("rack", cluster.parse(conf), time.monotonic() + 20)


def test_the_clusters_own_file_is_waited_for_as_well(
    tmp_path: Path, hung: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "DIRECTORY", str(tmp_path))
    hung.add(f"{tmp_path}/rack.json")

    with pytest.raises(TryAgain, match=r"rack.json: nothing came"):
        clusterjson.read("rack")
