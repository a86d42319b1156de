"""Another plugin, started by the spec's rules: found, fed, answered, and no descriptor of ours in it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cni_sriov.kernel import process
from cni_sriov.state.lock import Lock
from cni_sriov.words.errors import BadConfig, InputOutput, TryAgain


def script(tmp_path: Path, text: str) -> str:
    path = tmp_path / "plugin"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_long_conf_and_a_long_answer_do_not_block_each_other(tmp_path: Path) -> None:
    big = "x" * (1 << 20)
    assert process.run(script(tmp_path, "cat; exit 3"), {"PATH": os.environ["PATH"]}, big) == (3, big)


@pytest.mark.parametrize(
    "text", ["cat /dev/zero", "head -c 1048577 /dev/zero"], ids=["no end", "one too many"]
)
def test_an_answer_without_end_is_an_error_that_names_the_plugin(tmp_path: Path, text: str) -> None:
    before = len(os.listdir("/proc/self/fd")), children()

    with pytest.raises(InputOutput, match=f"{tmp_path}/plugin: it is longer than 1048576 bytes"):
        process.run(script(tmp_path, text), {"PATH": os.environ["PATH"]}, "")

    assert (len(os.listdir("/proc/self/fd")), children()) == before


def children() -> list[str]:
    """Of this process, as the kernel lists them; another test's may still be there."""
    return sorted(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_a_delegate_that_reads_nothing_is_no_error_of_ours(tmp_path: Path) -> None:
    assert process.run(script(tmp_path, "echo done"), {"PATH": os.environ["PATH"]}, "x" * 3_000_000) == (
        0,
        "done\n",
    )


def test_a_killed_delegate_has_a_status(tmp_path: Path) -> None:
    assert process.run(script(tmp_path, "kill -9 $$"), {"PATH": os.environ["PATH"]}, "")[0] == -9


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    process.run(script(tmp_path, "ls /proc/self/fd | wc -l"), {"PATH": os.environ["PATH"]}, "x")
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_bundles_variables_do_not_reach_a_delegate() -> None:
    env = {"LD_LIBRARY_PATH": "/bundle", "LD_LIBRARY_PATH_ORIG": "/mine", "_PYI_ARCHIVE_FILE": "x", "A": "b"}
    assert process.clean_environment(env) == {"LD_LIBRARY_PATH": "/mine", "A": "b"}
    assert process.clean_environment({"LD_LIBRARY_PATH": "/bundle", "_MEIPASS2": "x"}) == {}


def test_without_a_bundle_the_runtimes_variables_reach_a_delegate_all() -> None:
    """SPEC 1.1.0, section 4: the same environment. A snapshot has no bootloader that would set any."""
    env = {"LD_LIBRARY_PATH": "/the/runtimes", "A": "b"}
    assert process.clean_environment(env) == env


def test_find_takes_the_first_executable_of_the_path(tmp_path: Path) -> None:
    for name, mode in (("a", 0o644), ("b", 0o755)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p").write_text("")
        (tmp_path / name / "p").chmod(mode)
    assert process.find("p", [f"{tmp_path}/a", f"{tmp_path}/b"]) == f"{tmp_path}/b/p"
    with pytest.raises(BadConfig):
        process.find("p", [])


@pytest.mark.parametrize("name", ["../bin/plugin", "bin/plugin", "/bin/sh", "", ".", "..", "plugin\0"])
def test_what_is_no_file_name_leads_out_of_no_directory(tmp_path: Path, name: str) -> None:
    """SPEC 1.1.0, "Execution": the type is the name of a file in CNI_PATH."""
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin", "")

    with pytest.raises(BadConfig, match="must be the file name of a plugin"):
        process.find(name, [str(tmp_path), str(tmp_path / "bin"), "/"])


ADD = """
import sys
from cni_sriov.kernel import process
from cni_sriov.state.lock import Lock
lock = Lock(sys.argv[1], "ADD", inherited=True)
lock.acquire()
process.run(sys.argv[2], {"PATH": "/usr/bin:/bin"}, "")
"""


@pytest.mark.parametrize("odd", ["\ud800", "a\0b"])
def test_what_no_file_can_be_called_is_no_plugin(tmp_path: Path, odd: str) -> None:
    """From CNI_PATH, or in a type."""
    there = script(tmp_path, "true")

    assert process.find(Path(there).name, [f"/{odd}", str(tmp_path)]) == there


def test_a_delegate_that_outlives_its_killed_add_holds_the_attachments_lock(tmp_path: Path) -> None:
    """Else the DEL that follows frees what it is just giving out: an address without a Record was left."""
    path, go = tmp_path / "lock", tmp_path / "go"
    plugin = script(tmp_path, f"touch {tmp_path}/began; while [ ! -e {go} ]; do sleep 0.01; done")
    add = subprocess.Popen([sys.executable, "-c", ADD, path, plugin])
    while not (tmp_path / "began").exists():
        time.sleep(0.01)
    add.kill()
    add.wait()

    try:
        with pytest.raises(TryAgain) as refused:
            Lock(str(path), "DEL", inherited=True).acquire(0.2)
    finally:
        go.touch()
    assert f"a plugin that pid {add.pid} (ADD) started, which has ended" in refused.value.msg

    lock = Lock(str(path), "DEL", inherited=True)
    lock.acquire(20)
    lock.release()


def test_a_lock_that_is_no_attachments_is_not_inherited(tmp_path: Path) -> None:
    lock = Lock(str(tmp_path / "lock"), "ADD")
    lock.acquire()
    process.run(script(tmp_path, "exec 1>&-; (sleep 1) & exit 0"), {"PATH": os.environ["PATH"]}, "")
    lock.release()

    assert Lock(str(tmp_path / "lock"), "DEL").try_acquire()


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EIO])
def test_a_plugin_that_cannot_be_looked_for_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_: str) -> os.stat_result:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(InputOutput):
        process.find("plugin", [str(tmp_path)])
