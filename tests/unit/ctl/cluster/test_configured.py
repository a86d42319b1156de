"""The clusters of a node by their files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cni_sriov.conf import cluster
from cni_sriov.ctl.cluster.configured import Configured
from cni_sriov.ctl.cluster.engine import EngineAway
from cni_sriov.words.errors import InputOutput


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cluster, "DIRECTORY", str(tmp_path))
    return tmp_path


def write(directory: Path, name: str, text: str) -> None:
    path = directory / f"{name}.json"
    path.write_text(text)
    path.chmod(0o600)


def test_each_file_is_a_cluster(directory: Path) -> None:
    assert Configured().names() == []
    write(directory, "rack", '{"engine": "etcd", "endpoints": ["http://127.0.0.1:1"], "node": "a1"}')
    write(directory, "hall", '{"engine": "etcd", "endpoints": ["http://127.0.0.1:1"]}')
    assert Configured().names() == ["hall", "rack"]
    assert (Configured().node("rack"), Configured().node("hall")) == ("a1", os.uname().nodename)


def test_a_file_that_is_not_there_is_named(directory: Path) -> None:
    with pytest.raises(InputOutput, match=f"{directory}/gone.json"):
        Configured().node("gone")


def test_its_engine_is_asked_until_the_deadline(directory: Path) -> None:
    """Nobody listens on port 1."""
    write(directory, "rack", '{"engine": "etcd", "endpoints": ["http://127.0.0.1:1"], "node": "a1"}')
    engine = Configured().open("rack", time.monotonic() + 60)
    with pytest.raises(EngineAway, match="no endpoint answered"):
        engine.definitions()
