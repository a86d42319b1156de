"""What a cluster's file names is read before anybody is asked."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.conf import cluster
from cni_sriov.ctl.cluster import opening
from cni_sriov.ctl.cluster.engine import Engine
from cni_sriov.words.errors import CniError, InputOutput
from tests.unit.ctl.cluster.contract import BLOCK, A
from tests.unit.ctl.cluster.gateway import Gateway
from tests.unit.ctl.cluster.server import Certificates, serving


def opened(**keys: Any) -> Engine:
    return opening.engine_of("rack", cluster.parse({"engine": "etcd"} | keys), time.monotonic() + 20)


def test_an_etcd_on_this_host_needs_nothing() -> None:
    with serving(Gateway()) as server:
        assert opened(endpoints=[str(server.endpoint)]).claim(BLOCK, A) == A


def test_all_that_can_be_named_is_used(certificates: Certificates, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("a b\r\nsecond line\n")
    password.chmod(0o600)
    files = {"ca": "ca.pem", "cert": "client.pem", "key": "client.key"}
    paths = {key: certificates.path(name) for key, name in files.items()}
    with serving(Gateway({"u": "a b"}), certificates.server("server", "ca")) as server:
        engine = opened(endpoints=[str(server.endpoint)], user="u", passwordFile=str(password), **paths)
        assert engine.claim(BLOCK, A) == A


@pytest.mark.parametrize(("name", "change", "told"), [
    ("ca", lambda path: path.unlink(), "No such file"),
    ("ca", lambda path: path.chmod(0o666), "others must not write it"),
    ("ca", lambda path: path.write_text("x"), "it has no certificates in PEM"),
    ("key", lambda path: path.chmod(0o644), "others must not read it"),
    ("key", lambda path: path.write_text("x"), "no certificate and key of one another in PEM"),
    ("cert", lambda path: path.unlink(), "No such file"),
    ("passwordFile", lambda path: path.chmod(0o640), "others must not read it"),
    ("passwordFile", lambda path: path.write_text("\nsecret"), "its first line is empty"),
    ("passwordFile", lambda path: path.symlink_to(path.rename(f"{path}2")), "a symlink is not followed"),
])  # fmt: skip
def test_a_file_that_cannot_be_used_is_named(
    certificates: Certificates, tmp_path: Path, name: str, change: Any, told: str
) -> None:
    paths = {}
    for key, text in (
        ("ca", certificates.text("ca.pem")),
        ("cert", certificates.text("client.pem")),
        ("key", certificates.text("client.key")),
        ("passwordFile", "secret\n"),
    ):
        path = tmp_path / key
        path.write_text(text)
        path.chmod(0o600)
        paths[key] = str(path)
    change(tmp_path / name)

    with pytest.raises(CniError) as refused:
        opened(endpoints=["https://127.0.0.1:1"], user="u", **paths)

    assert paths[name] in refused.value.msg
    assert told in refused.value.msg
    assert "secret" not in str(refused.value)


def test_no_verb_loads_it_before_it_runs() -> None:
    """Who asks no engine does not pay for one."""
    script = "import sys, cni_sriov.ctl.main; print(sorted({'ssl', 'urllib3', 'http.client', 'threading'} & sys.modules.keys()))"
    told = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=False)

    assert told.stdout.strip() == "[]", told.stderr


def test_an_empty_password_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("")
    (tmp_path / "p").chmod(0o600)
    with pytest.raises(InputOutput) as refused:
        opening.password_of(str(tmp_path / "p"))

    assert refused.value.details == "put the password there"
