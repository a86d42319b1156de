"""Which files are a log's: as logrotate(8) leaves them beside it, and as the configurations name it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from cni_sriov.ctl.story import logs
from cni_sriov.kernel.files import Files


def line(n: int, word: str = "c1") -> str:
    return f"time=2026-11-26T00:00:{n:02}Z level=info containerID={word} ifname=net1 msg=x n={n}\n"


def put(root: Path, name: str, text: str | bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def test_rotated_ones_are_read_too_and_others_are_not(tmp_path: Path) -> None:
    put(tmp_path, "var/log/s.log", line(9))
    put(tmp_path, "var/log/s.log.1", line(7))
    put(tmp_path, "var/log/s.log.2.gz", gzip.compress(line(5).encode()))
    put(tmp_path, "var/log/s.log-20261101.gz", gzip.compress(line(3).encode()))
    put(tmp_path, "var/log/s.log-20261102", line(4))
    for other in ("s.log.bak", "s.log2", "xs.log", "s.log.1.xz", "s.logger"):
        put(tmp_path, f"var/log/{other}", line(1))

    found = logs.read(Files(str(tmp_path)), ["/var/log/s.log"])

    assert [one.fields["n"] for one in found.containing(["c1"])] == ["3", "4", "5", "7", "9"]
    assert found.missing == []


def test_only_lines_with_one_of_the_words(tmp_path: Path) -> None:
    put(tmp_path, "log", line(1) + line(2, "c2") + "no line of c1\n" + line(3, "c3"))

    found = logs.read(Files(str(tmp_path)), ["/log", "/log"])

    assert [one.fields["n"] for one in found.containing(["c1", "", "c3"])] == ["1", "3"]
    assert found.containing([""]) == []


def test_what_is_not_there_or_cannot_be_read_is_told_and_stops_nothing(tmp_path: Path) -> None:
    put(tmp_path, "good", line(1))
    (tmp_path / "is_a_directory").mkdir()

    found = logs.read(Files(str(tmp_path)), ["/none", "/is_a_directory", "/good"])

    assert list(found.texts) == ["/good"]
    assert found.missing[0] == "/none is not there"
    assert found.missing[1].startswith("look at /is_a_directory: ")


@pytest.mark.parametrize("text", [b"\x1f\x8b\x08 damaged", b"no gzip", b""])
def test_a_damaged_archive_has_no_lines(tmp_path: Path, text: bytes) -> None:
    put(tmp_path, "log.1.gz", text)

    assert logs.read(Files(str(tmp_path)), ["/log"]).containing(["c1"]) == []


def test_an_archive_that_grows_beyond_measure_is_cut(tmp_path: Path) -> None:
    put(tmp_path, "log.1.gz", gzip.compress(b"\0" * (40 << 20)))

    (text,) = logs.read(Files(str(tmp_path)), ["/log"]).texts.values()

    assert len(text) == 16 << 20


def test_of_a_large_file_the_end_is_read(tmp_path: Path) -> None:
    put(tmp_path, "log", line(1) + "x" * (17 << 20) + "\n" + line(2))

    found = logs.read(Files(str(tmp_path)), ["/log"])

    assert [one.fields["n"] for one in found.containing(["c1"])] == ["2"]


def test_configurations_name_their_log(tmp_path: Path) -> None:
    ours = {"type": "sriov", "logFile": "/var/log/a.log"}
    other = {"type": "tuning", "logFile": "/not/ours"}
    bridge = {"type": "bridge", "LOGFILE": "/var/log/b.log", "ipam": {"type": "host-subnet"}}
    for name, conf in {
        "10.conflist": {"plugins": [other, ours, bridge, 7]},
        "20.conf": ours | {"logFile": "/var/log/c.log"},
        "30.json": ours,
        "40.conf": ours | {"logFile": 7},
        "50.conf": ours | {"logFile": "relative"},
        "60.txt": ours | {"logFile": "/no/conf"},
    }.items():
        put(tmp_path, f"etc/cni/net.d/{name}", json.dumps(conf))
    put(tmp_path, "etc/cni/net.d/70.conf", "no JSON")

    assert logs.named(Files(str(tmp_path))) == ["/var/log/a.log", "/var/log/b.log", "/var/log/c.log"]


def test_without_configurations_there_is_none(tmp_path: Path) -> None:
    assert logs.named(Files(str(tmp_path))) == []
