"""Certificates once for all: openssl takes its time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.ctl.cluster.server import Certificates


@pytest.fixture(scope="package")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    directory: Path = tmp_path_factory.mktemp("certificates")
    made = Certificates(directory)
    for name in ("ca", "other"):
        made.authority(name)
    made.sign("server", "ca", "IP:127.0.0.1,DNS:etcd.example")
    made.sign("elsewhere", "ca", "DNS:etcd.example")
    made.sign("expired", "ca", "IP:127.0.0.1", "-days", "-1")
    made.sign("client", "ca", "DNS:n1")
    made.sign("stranger", "other", "DNS:n1")
    return made
