"""The bundle as podman 5 calls it: create, setup, teardown, on real netns, netlink and files (rig.py)."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests import podman
from tests.integration.rig import PF, ROOT, Call, Rig, plugin_call

pytestmark = [pytest.mark.root, pytest.mark.bundle]
OPTIONS = {"master": PF, "prefixLength": "29", "ipam.onlink": "true"}
POOL = [{"subnet": "10.20.0.0/16"}]


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(vfs=4) as rig:
        for name in ("one", "two"):
            rig.add_pod(name)
        yield rig


@pytest.fixture
def network(rig: Rig) -> dict[str, Any]:
    status, answered = rig.answer(plugin_call("create", podman.asked_network("fast", OPTIONS, subnets=POOL)))
    assert status == 0, answered
    return podman.kept_network(answered)


def setup(network: dict[str, Any], pod: str = "one", **options: Any) -> Call:
    return plugin_call("setup", podman.exec_call(network, **options), f"/run/netns/{pod}")


def teardown(network: dict[str, Any], pod: str = "one", **options: Any) -> Call:
    return plugin_call("teardown", podman.exec_call(network, **options), f"/run/netns/{pod}")


def test_a_container_has_what_it_was_told(rig: Rig, network: dict[str, Any]) -> None:
    before = rig.links(), rig.leftovers()

    status, answered = rig.answer(setup(network))

    assert status == 0, answered
    link = rig.ip("-n", "one", "addr", "show", "dev", "eth0")[0]
    addresses = [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["family"] == "inet"]
    told = answered["interfaces"]["eth0"]
    assert (told["mac_address"], [one["ipnet"] for one in told["subnets"]]) == (link["address"], addresses)
    assert "10.20.0.0/16" in [route["dst"] for route in rig.ip("-n", "one", "route", "show")]
    assert rig.answer(teardown(network)) == (0, None)
    assert (rig.links(), rig.leftovers()) == before


def test_a_container_that_comes_back_in_another_netns_is_attached_there(
    rig: Rig, network: dict[str, Any]
) -> None:
    """No teardown comes where podman or conmon was killed, and the former netns is still mounted."""
    assert rig.answer(setup(network, "one"))[0] == 0

    status, answered = rig.answer(setup(network, "two"))

    assert status == 0, answered
    assert [link["ifname"] for link in rig.ip("-n", "one", "link")] == ["lo"]
    assert "eth0" in [link["ifname"] for link in rig.ip("-n", "two", "link")]
    assert rig.answer(teardown(network, "two")) == (0, None)
    assert rig.leftovers() == []


def test_where_more_vfs_are_taken_than_can_be_told_it_says_how_many() -> None:
    with Rig(vfs=11) as rig:
        status, answered = rig.answer(
            plugin_call("create", podman.asked_network("fast", OPTIONS, subnets=POOL))
        )
        network = podman.kept_network(answered)
        for number in range(11):
            rig.add_pod(f"p{number}")
            status, answered = rig.answer(setup(network, f"p{number}", container=f"c{number}"))
            assert status == 0, answered
        rig.add_pod("late")

        status, answered = rig.answer(setup(network, "late", container="late"))

        assert status == 1
        assert "choose a VF: no free VF" in answered["error"]
        assert "and 3 more (3 claimed)" in answered["error"]
        assert answered["error"].endswith("[cni-sriov, code 11]")


def test_an_error_is_one_sentence(rig: Rig, network: dict[str, Any]) -> None:
    status, answered = rig.answer(setup(network, "nowhere"))

    assert (status, answered.keys()) == (1, {"error"})
    assert "/run/netns/nowhere" in answered["error"]
    assert rig.leftovers() == []


@pytest.mark.parametrize("stdin", [b"", b"{", b"[]", b"\xff\xfe", b'{"container_id": 7}', b"{}" * 99])
def test_a_teardown_never_fails(rig: Rig, stdin: bytes) -> None:
    for argument in ((), ("/run/netns/nowhere",)):
        asked = plugin_call("teardown", {})
        assert rig.answer(asked._replace(argv=(*asked.argv[:2], *argument), stdin=stdin)) == (0, None)


def test_a_teardown_finishes_what_it_began(rig: Rig, network: dict[str, Any]) -> None:
    """SIGTERM and SIGINT come while it waits for its input, too."""
    assert rig.answer(setup(network))[0] == 0
    asked = teardown(network)
    process = rig.inside(
        subprocess.Popen, asked.argv, env=asked.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    wait_until_it_ignores(process.pid, signal.SIGTERM)
    for number in (signal.SIGTERM, signal.SIGINT):
        process.send_signal(number)

    out, _ = process.communicate(asked.stdin, timeout=60)

    assert (process.returncode, out) == (0, b"")
    assert rig.leftovers() == []


def wait_until_it_ignores(pid: int, number: signal.Signals) -> None:
    """By the kernel's word: SigIgn of /proc/PID/status."""
    for _ in range(3000):
        with open(f"/proc/{pid}/status") as file:
            mask = next(line for line in file if line.startswith("SigIgn"))
        if int(mask.split()[1], 16) >> (number - 1) & 1:
            return
        subprocess.run(["sleep", "0.01"], check=True)
    raise AssertionError(mask)


def test_an_answer_that_nobody_hears_is_undone(rig: Rig, network: dict[str, Any]) -> None:
    """To podman the setup has failed, and then it sends no teardown."""
    asked = setup(network)
    deaf = ("sh", "-c", '"$0" "$@" >/dev/full')
    status, _ = rig.answer(asked._replace(argv=(*deaf, *asked.argv)))

    assert (status, rig.leftovers()) == (1, [])


def test_a_runtime_of_cni_that_gives_arguments_is_still_one(rig: Rig) -> None:
    asked = plugin_call("setup", {"cniVersion": "1.0.0"}, "/run/netns/one")

    status, answered = rig.answer(asked._replace(env={"CNI_COMMAND": "VERSION"}))

    assert (status, "supportedVersions" in answered) == (0, True)


def test_it_says_what_it_is(rig: Rig) -> None:
    status, answered = rig.answer(plugin_call("info", {}))

    named = re.search(r'__version__ = "(.+)"', (ROOT / "cni_sriov/__init__.py").read_text())
    assert named is not None
    # the second is API_VERSION of netavark's src/plugin.rs
    assert (status, answered) == (0, {"version": named[1], "api_version": "1.0.0"})
