"""What a conf says of VPP: above all that no word of a call leads out of the operator's path."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.conf import vppconf
from cni_sriov.words.errors import BadConfig

DIRECTORY = "/run/vpp-of/{namespace}/{pod}"
WORDS = {"containerID": "c1", "namespace": "default", "pod": "web-0"}


def test_defaults() -> None:
    told = vppconf.read({"directory": DIRECTORY})

    assert {key: told.get(key) for key in ("mode", "directory", "mountedAt", "hugepages", "tap")} == {
        "mode": "container",
        "directory": DIRECTORY,
        "mountedAt": "/etc/vpp/cni-sriov",
        "hugepages": True,
        "tap": None,
    }


GOOD: dict[str, list[Any]] = {
    "directory": ["/a", "/run/vpp/{containerID}", "/run/{namespace}.{pod}/x", "/A_z0/.+@=,~-/v"],
    "mountedAt": ["/etc/vpp", "/" + "a" * 199],
    "runtimeDir": ["/run/vpp", "/" + "a" * 89],
    "tap": [{}, {"name": "eth0"}, {"name": "a" * 15}, {"defaultRoute": True}],
    "mainCore": [0, 1023],
    "buffers": [1024, 16384],
    "mainHeap": ["256M", "1G"],
    "hugepages": [True, False],
    "rxQueues": [1, 64],
}
BAD: dict[str, list[Any]] = {
    "directory": [
        *("", "run/vpp", "/", "/run/../etc", "/run/./x", "/run//x", "/run/", "/run/{pid}", "/run/{pod", "/run/}"),
        *("/run/{POD}", "/run/a b", "/run/a\n", "/run/$x", "/run/#", "/run/\u0430", "/run/{}", "/run/{{pod}}", 5, None),
    ],
    "mountedAt": ["/etc/{pod}", "/etc/v pp", "/etc/vpp{", "/etc/#", '/etc/"', "/etc/$x", "etc", "/", "/" + "a" * 200],
    "runtimeDir": ["", "run", "/run/v pp", "/run/{pod}", "/run/..", "/" + "a" * 90],
    "tap": [True, [], "eth0", {"name": ""}, {"name": "a" * 16}, {"name": "a b"}, {"name": "."}, {"name": "x{"}, {"defaultRoute": 1}],
    "mainCore": [-1, 1024, "0", True],
    "workerCores": ["", "2-", "-3", "2,,3", "2 3", "a", 2, "2-3\n"],
    "buffers": [1023, 0, "16384", 16777217],
    "mainHeap": ["0M", "256", "256m", "1T", "-1G", 256, "1.5G"],
    "hugepages": ["no", 0],
    "rxQueues": [0, 65],
}  # fmt: skip


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in GOOD for value in GOOD[key]])
def test_good(key: str, value: Any) -> None:
    assert vppconf.read({"directory": "/run/vpp"} | {key: value})[key] == value


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in BAD for value in BAD[key]])
def test_bad(key: str, value: Any) -> None:
    with pytest.raises(BadConfig, match=f"vpp.{key}"):
        vppconf.read({"directory": "/run/vpp"} | {key: value})


def test_a_containers_vpp_needs_a_directory_and_the_hosts_does_not() -> None:
    with pytest.raises(BadConfig, match="no directory"):
        vppconf.read({})
    assert vppconf.read({"mode": "host"})["socket"] == "/run/vpp/api.sock"


@pytest.mark.parametrize("cores", ["2", "2-3", "2-3,7,9-10"])
def test_worker_cores(cores: str) -> None:
    assert (
        vppconf.read({"directory": "/a", "mainCore": 1, "workerCores": cores}).items()
        >= {"workerCores": cores}.items()
    )


@pytest.mark.parametrize(
    "told",
    [
        {"workerCores": "2"},
        {"mainCore": 2, "workerCores": "2"},
        {"mainCore": 3, "workerCores": "1,2-4"},
        {"mainCore": 0, "workerCores": "4-2"},
    ],
)
def test_no_worker_has_the_main_core(told: dict[str, Any]) -> None:
    with pytest.raises(BadConfig, match=r"vpp\.workerCores"):
        vppconf.read({"directory": "/a"} | told)


@pytest.mark.parametrize(
    ("template", "path", "root"),
    [
        (DIRECTORY, "/run/vpp-of/default/web-0", "/run/vpp-of"),
        ("/run/vpp-{containerID}", "/run/vpp-c1", "/run"),
        ("/run/a/x{pod}y/z", "/run/a/xweb-0y/z", "/run/a"),
        ("/srv/web", "/srv/web", "/srv/web"),
    ],
)
def test_where_the_files_of_a_container_are(template: str, path: str, root: str) -> None:
    assert vppconf.place(template, WORDS) == (path, root)


@pytest.mark.parametrize("name", ["containerID", "namespace", "pod"])
@pytest.mark.parametrize(
    "word",
    ["", ".", "..", "../x", "a/b", "/etc", "a\0b", "a b", "-a", "a\n", "{pod}", "\\1", "a" * 254, "\u00e4"],
)
def test_no_word_of_a_call_leads_out_of_the_path(name: str, word: str) -> None:
    with pytest.raises(BadConfig, match="is no name"):
        vppconf.place(f"/run/vpp-of/{{{name}}}", WORDS | {name: word})


def test_a_word_that_is_not_asked_for_is_not_judged() -> None:
    assert vppconf.place("/run/{containerID}", {"containerID": "c1", "pod": "../x"}) == ("/run/c1", "/run")


@pytest.mark.parametrize("name", ["net1", "eth0", "n", "vf_1-a"])
def test_names_for_vpp(name: str) -> None:
    assert vppconf.vpp_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("del1", "delta", "all", "tap0", "tun1", "loop0", "local0", "host-x", "memif0", "via", "use1", "ip4", "drop0"),
        *("net1.5", "1net", "Net1", "a{", "a}", "a#", "a$b", 'a"', "a'", "a\\", "-a", "a b", ""),
    ],
)  # fmt: skip
def test_what_vpp_would_take_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(BadConfig, match="in VPP"):
        vppconf.vpp_name(name)
