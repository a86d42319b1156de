"""tests/etcd.py is what it says: a cluster that loses its quorum, members, links and memory when it is told to."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.etcd import PREFIX, Etcd, EtcdError, Net

pytestmark = pytest.mark.root
SHORT = 2


def until(done: bool, etcd: Etcd, number: int) -> None:
    deadline = time.monotonic() + 30
    while etcd.is_healthy(number) != done:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_one_member_less_is_no_matter_and_two_less_are_no_quorum(etcd: Etcd) -> None:
    etcd.kill(0)
    etcd.put(f"{PREFIX}/a", "1")
    etcd.kill(1)
    with pytest.raises(EtcdError):
        etcd.put(f"{PREFIX}/a", "2", seconds=SHORT)
    etcd.start()
    etcd.put(f"{PREFIX}/b", "3")
    assert etcd.stored()[f"{PREFIX}/b"] == "3"


def test_a_cut_member_is_alone_until_it_is_healed(etcd: Etcd) -> None:
    etcd.cut(2)
    until(False, etcd, 2)  # no reset tells it
    etcd.put(f"{PREFIX}/c", "1")
    assert etcd.running[2].poll() is None
    etcd.heal(2)
    until(True, etcd, 2)
    etcd.kill(0)
    assert etcd.stored()[f"{PREFIX}/c"] == "1", "of the two that are left one was cut off"
    etcd.start()


def test_a_restored_backup_has_forgotten_what_came_after_it(etcd: Etcd, tmp_path: Path) -> None:
    etcd.put(f"{PREFIX}/before", "1")
    etcd.save(tmp_path / "backup")
    etcd.put(f"{PREFIX}/after", "1")
    etcd.restore(tmp_path / "backup")
    assert f"{PREFIX}/before" in etcd.stored()
    assert f"{PREFIX}/after" not in etcd.stored()
    etcd.put(f"{PREFIX}/after", "2")


def test_nobody_writes_without_certificate_and_password(etcd: Etcd) -> None:
    pki = etcd.home / "pki"
    asked = ("etcdctl", f"--endpoints={etcd.endpoints[0]}", "--command-timeout=2s", f"--cacert={pki}/ca.pem")
    client = (f"--cert={pki}/client.pem", f"--key={pki}/client.key")
    put = ("put", f"{PREFIX}/a", "x")
    for words in (client, ("--user=nodes:of-the-nodes",), (*client, "--user=nodes:wrong")):
        with pytest.raises(EtcdError):
            etcd.net.run(*asked, *words, *put)
    etcd.net.run(*asked, *client, "--user=nodes:of-the-nodes", *put)
    with pytest.raises(EtcdError, match="permission denied"):
        etcd.net.run(*asked, *client, "--user=nodes:of-the-nodes", "put", "/others", "x")


def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    with Net() as net, Etcd(tmp_path, net, "other") as etcd:
        pids = [process.pid for process in etcd.running.values()]
        assert len(pids) == 3
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    listed = subprocess.run(("ip", "netns", "list"), capture_output=True, text=True).stdout
    assert "m0" not in listed
