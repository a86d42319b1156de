"""What a CNI call imports: nothing beyond a short list (docs/design/0006). It counts modules, never milliseconds.

Each verb runs from the checkout in a bare interpreter (-I -S), the whole way: VERSION and refused confs anywhere,
ADD, CHECK and DEL in the rig, where they change real links. `make bench` prints the milliseconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.integration.rig import ROOT, Call, Rig, call, conf

if TYPE_CHECKING:
    from collections.abc import Iterator

# An import beyond these needs a note in docs/design with its price.
ALLOWED = {
    *("_ctypes", "_json", "_signal", "_socket", "_struct", "errno", "fcntl", "select"),
    "__future__",
}
OURS_FOR_VERSION = {"", ".jsontext", ".paths", ".plugin", ".versions"}
BEFORE_ANY_ACT = {".claim", ".commands.add", ".commands.check", ".commands.delete", ".release"}

# Runs the door and writes {module: who imported it} to standard error as its last line.
WATCH = """
import sys
bare = set(sys.modules)
importers = {}
class Watch:
    def find_spec(name, path=None, target=None):
        frame = sys._getframe(1)
        while "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        importers.setdefault(name, frame.f_globals["__name__"])
sys.meta_path.insert(0, Watch)
sys.path.insert(0, sys.argv[1])
from cni_sriov import paths, plugin
import posix
code = plugin.main(paths.environment(), plugin._read_stdin, plugin._write_all)
found = {name: importers.get(name, "?") for name in set(sys.modules) - bare}
posix.write(2, repr(found).replace("'", '"').encode() + b"\\n")
posix._exit(code)
"""
WATCHED = (sys.executable, "-I", "-S", "-B", "-c", WATCH, str(ROOT))

# The checkout's own way in; what is there at the end, in one line.
ENTER = """
import posix, runpy, sys
sys.path.insert(0, sys.argv[1])
end = posix._exit
def tell(status):
    posix.write(2, " ".join(sorted(n for n in sys.modules if n.startswith("cni_sriov."))).encode())
    end(status)
posix._exit = tell
runpy.run_module("cni_sriov", run_name="__main__")
"""


class Census(NamedTuple):
    """What a call answered, and {module: importer} beyond the bare interpreter's modules."""

    answer: Any
    modules: dict[str, str]

    @property
    def foreign(self) -> dict[str, str]:
        return {name: who for name, who in self.modules.items() if not _is_ours(name) and name not in ALLOWED}

    @property
    def ours(self) -> set[str]:
        return {name.removeprefix("cni_sriov") for name in self.modules if _is_ours(name)}


def _is_ours(name: str) -> bool:
    return name == "cni_sriov" or name.startswith("cni_sriov.")


def read(stdout: bytes, stderr: bytes) -> Census:
    return Census(json.loads(stdout or b"null"), json.loads(stderr.splitlines()[-1]))


def census(given: Call) -> Census:
    done = subprocess.run(given.argv, env=given.env, input=given.stdin, capture_output=True)
    return read(done.stdout, done.stderr)


def census_in(rig: Rig, given: Call) -> Census:
    done = rig.inside(subprocess.run, given.argv, env=given.env, input=given.stdin, capture_output=True)
    return read(done.stdout, done.stderr)


def watched(verb: str, netns: str = "/run/netns/none", **keys: Any) -> Call:
    return call(verb, "census", netns, conf(**keys), WATCHED)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(vfs=2) as rig:
        yield rig


def test_version_imports_the_door_and_no_more() -> None:
    found = census(watched("VERSION"))

    assert found.answer["supportedVersions"]
    assert found.foreign == {}
    assert found.ours == OURS_FOR_VERSION


@pytest.mark.parametrize(("env", "watched"), [({}, False), ({"CNI_SRIOV_TIMES": "1"}, True)])
def test_timestamps_are_imported_only_when_they_are_asked_for(env: dict[str, str], watched: bool) -> None:
    argv = [sys.executable, "-I", "-S", "-B", "-c", ENTER, str(ROOT)]
    done = subprocess.run(
        argv, env=env | {"CNI_COMMAND": "VERSION"}, input=b'{"cniVersion": "1.0.0"}', capture_output=True
    )

    ours = {name.removeprefix("cni_sriov") for name in done.stderr.decode().split() if _is_ours(name)}
    assert ours == OURS_FOR_VERSION - {""} | ({".times"} if watched else set())


@pytest.mark.parametrize(
    ("keys", "code"),
    [({"vlan": 5000}, 7), ({"cniVersion": "9.9.9"}, 1), ({"ipam": {"type": "host-subnet", "pools": []}}, 7)],
    ids=["value", "version", "ipam"],
)
def test_refused_conf_imports_no_act(keys: dict[str, Any], code: int) -> None:
    found = census(watched("ADD", **keys))

    assert found.answer["code"] == code
    assert found.foreign == {}
    assert found.ours & BEFORE_ANY_ACT == set()


@pytest.mark.root
@pytest.mark.parametrize(
    "pool",
    [{"subnet": "10.20.0.0/16", "prefixLength": 29}, {"subnet": "fd00:20::/48", "prefixLength": 64}],
    ids=["v4", "v6"],
)
def test_a_whole_attachment_imports_what_is_allowed(rig: Rig, pool: dict[str, Any]) -> None:
    path = rig.add_pod("census")
    ipam = {"type": "host-subnet", "pools": [pool], "onlink": True}

    added = census_in(rig, watched("ADD", path, ipam=ipam))
    checked = census_in(rig, watched("CHECK", path, ipam=ipam, prevResult=added.answer))
    deleted = census_in(rig, watched("DEL", path, ipam=ipam))

    assert added.answer["ips"]  # the whole way, down to the pod's address
    assert (checked.answer, deleted.answer) == (None, None)
    assert (added.foreign, checked.foreign, deleted.foreign) == ({}, {}, {})
    assert {".commands.add", ".ipam.store", ".netlink", ".netns"} <= added.ours
    assert {".adopt", ".cachefiles", ".sriov_cni"} & (added.ours | checked.ours | deleted.ours) == set()
    assert rig.leftovers() == []


@pytest.mark.root
def test_status_and_gc_import_what_is_allowed_and_no_way_in(rig: Rig) -> None:
    """STATUS comes every few seconds on some nodes."""
    new = {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []}

    asked = census_in(rig, watched("STATUS", "", **new))
    collected = census_in(rig, watched("GC", "", **new))

    assert (asked.answer, collected.answer) == (None, None)
    assert (asked.foreign, collected.foreign) == ({}, {})
    assert {".commands.add", ".commands.pod", ".prepare"} & (asked.ours | collected.ours) == set()


@pytest.mark.root
def test_delete_of_nothing_imports_what_is_allowed(rig: Rig) -> None:
    found = census_in(rig, watched("DEL", ""))

    assert found.answer is None
    assert found.foreign == {}
    assert ".commands.add" not in found.ours


@pytest.mark.root
def test_without_ipam_nothing_of_the_parser_of_pools_is_imported(rig: Rig) -> None:
    path = rig.add_pod("census")

    added = census_in(rig, watched("ADD", path, ipam={}))

    assert added.answer["interfaces"]
    assert added.foreign == {}
    assert ".poolconf" not in added.ours
