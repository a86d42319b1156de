"""The door for podman 5 on the fake kernel: what podman does that no runtime of CNI does, one test for each."""

from __future__ import annotations

import json
import shutil
import signal
from errno import EIO
from typing import Any

import pytest

from cni_sriov.doors import netavark
from cni_sriov.state.ledger import Ledger
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import InputOutput, KernelRefused
from cni_sriov.words.log import Log
from cni_sriov.words.origin import Origin
from cni_sriov.words.record import Record
from tests import podman
from tests.podman import call, create, exec_call
from tests.world import World

ONE, TWO = "/run/netns/pod1", "/run/netns/pod2"


@pytest.fixture
def node(world: World) -> World:
    """Its PF knows what its VFs are called, as after their first `up`."""
    world.kernel.add_pod(TWO)
    for vf in world.kernel.pfs[0].vfs:
        vf.state.mac = vf.link.mac if vf.link else ""
    return world


def record_of(
    world: World, container: str = "c1", ifname: str = "eth0", container_id: str = ""
) -> Record | None:
    ledger = Ledger(str(world.state_dir), Log("none"), str(world.run_dir), world.boot_id)
    return ledger.find(Attachment(container_id or podman.container_id(container), ifname))


def link_names(world: World, pod: str) -> set[str]:
    return {link.name for link in world.kernel.pods[pod].links.values()}


def test_what_setup_makes_teardown_takes_away(node: World) -> None:
    network, before = create(node), node.snapshot()

    added = call(node, "setup", exec_call(network))

    assert added.addresses() == ["10.10.0.2/24"]
    assert link_names(node, ONE) == {"lo", "eth0"}
    torn = call(node, "teardown", exec_call(network))
    assert (torn.exit_code, torn.document, torn.stderr) == (0, None, "")
    assert node.snapshot() == before


def test_a_container_is_known_by_its_name(node: World) -> None:
    network = create(node)
    assert call(node, "setup", exec_call(network, "web")).exit_code == 0

    record = record_of(node, "web")

    assert record is not None
    assert Origin.of(record.origin).pod == "web"


def test_sticky_goes_by_the_containers_name(node: World) -> None:
    """Its ID is another one when it is made anew."""
    network = create(node, ipam__sticky="true")
    first = exec_call(network, "web")
    held = call(node, "setup", first).addresses()
    assert call(node, "teardown", first).exit_code == 0
    assert call(node, "setup", exec_call(network, "db"), TWO).addresses() != held

    again = exec_call(network, "web") | {"container_id": "f" * 64}

    assert call(node, "setup", again).addresses() == held


# the same container, without a teardown --------------------------------------------------------------------------------


def test_a_container_that_comes_back_in_another_netns_leaves_the_former(node: World) -> None:
    """podman or conmon was killed: no teardown, and the former netns is still mounted."""
    network = create(node)
    first = call(node, "setup", exec_call(network))

    second = call(node, "setup", exec_call(network), TWO)

    assert second.interface()["mac_address"] == first.interface()["mac_address"]
    assert (link_names(node, ONE), link_names(node, TWO)) == ({"lo"}, {"lo", "eth0"})


def test_what_it_had_by_other_names_there_is_left_too(node: World) -> None:
    """ethN is not always given in the same order, and a network may have been disconnected meanwhile."""
    fast, slow = create(node), create(node, "slow", "10.11.0.0/16")
    assert call(node, "setup", exec_call(fast, ifname="eth0")).exit_code == 0
    assert call(node, "setup", exec_call(slow, ifname="eth1")).exit_code == 0

    assert call(node, "setup", exec_call(slow, ifname="eth0"), TWO).exit_code == 0

    assert link_names(node, ONE) == {"lo"}
    assert record_of(node, ifname="eth1") is None


def test_its_other_interfaces_in_the_same_netns_stay(node: World) -> None:
    fast, slow = create(node), create(node, "slow", "10.11.0.0/16")
    assert call(node, "setup", exec_call(fast, ifname="eth0")).exit_code == 0

    assert call(node, "setup", exec_call(slow, ifname="eth1")).exit_code == 0

    assert link_names(node, ONE) == {"lo", "eth0", "eth1"}


def test_another_container_keeps_what_it_has(node: World) -> None:
    network = create(node)
    assert call(node, "setup", exec_call(network, "c1")).exit_code == 0

    assert call(node, "setup", exec_call(network, "c2"), TWO).exit_code == 0

    assert link_names(node, ONE) == {"lo", "eth0"}


def test_a_second_setup_in_the_same_netns_attaches_anew(node: World) -> None:
    """The teardown of a reload never got here; podman would not get over "attached already"."""
    network = create(node)
    first = call(node, "setup", exec_call(network))

    second = call(node, "setup", exec_call(network))

    assert second.interface()["mac_address"] == first.interface()["mac_address"]
    assert call(node, "teardown", exec_call(network)).exit_code == 0
    assert link_names(node, ONE) == {"lo"}


def test_after_a_reboot_a_container_starts_as_if_it_had_never_run(node: World) -> None:
    """No teardown, the same ID, another netns; /run is empty, and the Record below /var is not."""
    network = create(node, prefixLength="20")
    held = call(node, "setup", exec_call(network))
    node.kernel.kill_netns(ONE)
    shutil.rmtree(node.run_dir)
    node.boot_id = "22222222-2222-3333-4444-555555555555"

    told = call(node, "setup", exec_call(network), TWO)

    assert told.interface()["mac_address"] == held.interface()["mac_address"]
    record = record_of(node)
    assert record is not None
    assert (record.boot_id, record.netns) == (node.boot_id, TWO)
    assert call(node, "teardown", exec_call(network), TWO).exit_code == 0
    assert (record_of(node), link_names(node, TWO)) == (None, {"lo"})


def test_where_podman_was_killed_the_next_container_gets_the_vf(node: World) -> None:
    """The setup goes on to its end, `rm -f` calls nothing, and in the end somebody unmounts the netns."""
    network = create(node, pf__vfs="0", pf__names="enp1s0f0", master="")
    assert call(node, "setup", exec_call(network, "c1")).exit_code == 0
    assert call(node, "setup", exec_call(network, "c2"), TWO).code == 11
    node.kernel.kill_netns(ONE)

    assert call(node, "setup", exec_call(network, "c2"), TWO).exit_code == 0
    assert record_of(node, "c1") is None


# reload ------------------------------------------------------------------------------------------------------------------


def test_a_reload_gets_back_the_same_mac_and_addresses(node: World) -> None:
    """teardown, then setup in the same netns with what was answered, an address of `--ip` twice. Another container has
    come and gone meanwhile, so that a lower VF is free.
    """
    network = create(node)
    assert call(node, "setup", exec_call(network, "early"), TWO).exit_code == 0
    first = call(node, "setup", exec_call(network, "c1", static_ips=["10.10.7.5"]))
    assert call(node, "teardown", exec_call(network, "early"), TWO).exit_code == 0
    former = first.interface()
    addresses = [entry["ipnet"].partition("/")[0] for entry in former["subnets"]]
    assert call(node, "teardown", exec_call(network, "c1", static_ips=["10.10.7.5"])).exit_code == 0

    asked = exec_call(network, "c1", static_mac=former["mac_address"], static_ips=addresses + addresses)

    assert call(node, "setup", asked).interface() == former


def test_a_reload_gets_back_both_families(node: World) -> None:
    network = create(node, "fast", "10.10.0.0/16", "fd00:10::/48")
    first = call(node, "setup", exec_call(network))
    assert len(first.addresses()) == 2
    assert call(node, "teardown", exec_call(network)).exit_code == 0
    addresses = [entry.partition("/")[0] for entry in first.addresses()]

    asked = exec_call(network, static_mac=first.interface()["mac_address"], static_ips=addresses)

    assert call(node, "setup", asked).interface() == first.interface()


# what a container asks for ---------------------------------------------------------------------------------------------


def test_what_a_container_asks_for_is_had(node: World) -> None:
    network = create(node, allowRequests="mac,ips,vlan", vlan="100")
    wishes: dict[str, Any] = {
        "static_ips": ["10.10.9.9"],
        "static_mac": "02:00:00:00:00:99",
        "options": {"vlan": "300"},
    }

    told = call(node, "setup", exec_call(network, ifname="net1", **wishes))

    assert told.interface("net1")["mac_address"] == "02:00:00:00:00:99"
    assert told.addresses("net1") == ["10.10.9.9/24"]
    assert [vf.state.vlan for vf in node.kernel.pfs[0].vfs if vf.state.mac == "02:00:00:00:00:99"] == [300]


@pytest.mark.parametrize(
    ("allowed", "wish", "named"),
    [
        ("ips", {"static_mac": "02:00:00:00:00:99"}, "mac"),
        ("mac", {"static_ips": ["10.10.9.9"]}, "ips"),
        ("mac,ips", {"options": {"vlan": "300"}}, "vlan"),
        ("mac,ips", {"options": {"subnets": "10.10.9.0/24"}}, "subnets"),
        ("mac,ips", {"options": {"deviceID": "0000:01:10.2"}}, "deviceID"),
    ],
)
def test_what_the_operator_does_not_allow_is_refused(
    node: World, allowed: str, wish: dict[str, Any], named: str
) -> None:
    network, before = create(node, allowRequests=allowed), node.snapshot()

    told = call(node, "setup", exec_call(network, **wish))

    assert told.code == 7
    assert "allowRequests" in told.error
    assert f'"{named}"' in told.error
    assert node.snapshot() == before


def test_an_address_where_there_is_no_pool_is_refused(node: World) -> None:
    network = podman.kept_network(
        call(node, "create", podman.asked_network("l2", podman.options(node, ipam__dataDir=""))).document
        or {}
    )

    told = call(node, "setup", exec_call(network, static_ips=["10.12.7.5"]))

    assert told.code == 7
    assert "has no pool" in told.error
    assert call(node, "setup", exec_call(network)).addresses() == []


# errors and what is no error -------------------------------------------------------------------------------------------


def test_an_error_is_one_sentence_with_what_to_do(node: World) -> None:
    network = create(node, master="", pf__names="enp1s0f0", pf__vfs="0")
    assert call(node, "setup", exec_call(network, "c1")).exit_code == 0

    told = call(node, "setup", exec_call(network, "c2"), TWO)

    assert told.document is not None
    assert (told.exit_code, told.document.keys(), told.code) == (1, {"error"}, 11)
    assert told.error.startswith("choose a VF: no free VF (")


def test_a_setup_that_is_undone_says_its_error_once(node: World, capfd: pytest.CaptureFixture[str]) -> None:
    """podman shows the error; the plugin's standard error is the same terminal."""
    network = create(node, logFile="", logLevel="info")
    assert call(node, "setup", exec_call(network, "c1", static_ips=["10.10.9.9"])).exit_code == 0

    told = call(node, "setup", exec_call(network, "c2", static_ips=["10.10.9.9"]), TWO)

    assert told.code == 104
    assert (told.stderr, capfd.readouterr().err) == ("", "")


def test_unknown_keys_are_passed_over_and_options_are_told(node: World) -> None:
    network = create(node, isolate="true")
    asked = exec_call(network, options={"alias": "x"}) | {"later": {"a": 1}}
    asked["network"] |= {"later": True}

    assert call(node, "setup", asked).exit_code == 0

    told = node.log_file.read_text()
    assert "option isolate is none of ours" in told
    assert "option alias of the container is none of ours" in told


def test_published_ports_are_told_to_have_no_effect(node: World) -> None:
    port = {"container_port": 80, "host_ip": "", "host_port": 8080, "protocol": "tcp", "range": 1}

    assert call(node, "setup", exec_call(create(node)) | {"port_mappings": [port]}).exit_code == 0

    assert "published ports have no effect" in node.log_file.read_text()


def test_an_answer_that_nobody_hears_is_undone(node: World) -> None:
    """To podman the setup has failed, and it sends no teardown then."""
    network, before = create(node), node.snapshot()

    def deaf(fd: int, _: str) -> None:
        if fd == 1:
            raise BrokenPipeError(32, "Broken pipe")

    stdin = json.dumps(exec_call(network))
    assert netavark.main(["setup", ONE], {}, lambda: stdin, deaf, node._host) == 1  # noqa: SLF001

    assert node.snapshot() == before


@pytest.mark.parametrize(
    "stdin", ["", "{", "[]", "\udcff", '{"container_id": 7}', '{"container_id": "../x"}', "{}{}"]
)
def test_a_teardown_of_anything_succeeds(node: World, stdin: str) -> None:
    before = node.snapshot()

    told = call(node, "teardown", stdin)

    assert (told.exit_code, told.document) == (0, None)
    assert "teardown" in told.stderr
    assert node.snapshot() == before


def test_a_teardown_that_cannot_return_the_vf_succeeds_and_the_next_setup_takes_it(node: World) -> None:
    """podman calls no second time, so it is given up at once: in the netns that podman is about to remove it has no owner."""
    network = create(node, pf__vfs="0", pf__names="enp1s0f0", master="", vlan="100")
    assert call(node, "setup", exec_call(network)).exit_code == 0

    def refuse(*_: object) -> None:
        raise KernelRefused("set VLAN", EIO, "injected")

    node.kernel.before("set_vf_vlan", refuse, always=True)
    torn = call(node, "teardown", exec_call(network))
    node.kernel.before("set_vf_vlan", lambda *_: None, always=True)

    assert (torn.exit_code, torn.document) == (0, None)
    assert "injected" in torn.stderr
    record = record_of(node)
    assert record is not None
    assert record.status == "released"
    assert call(node, "setup", exec_call(network, "c2"), TWO).exit_code == 0
    assert (record_of(node), link_names(node, TWO)) == (None, {"lo", "eth0"})


def test_a_teardown_is_ended_by_no_stop_signal(node: World) -> None:
    network = create(node)
    assert call(node, "setup", exec_call(network)).exit_code == 0
    found: list[Any] = []
    node.kernel.before("move", lambda *_: found.append(signal.getsignal(signal.SIGTERM)))

    assert call(node, "teardown", exec_call(network)).exit_code == 0

    assert (found, signal.getsignal(signal.SIGINT)) == ([signal.SIG_IGN], signal.SIG_IGN)


def test_an_options_teardown_cannot_read_stops_nothing(node: World) -> None:
    """The network's file was changed since."""
    network, before = create(node), node.snapshot()
    assert call(node, "setup", exec_call(network)).exit_code == 0
    spoiled = network | {"options": network["options"] | {"vlan": "x", "ipam.pools": "["}, "name": "../x"}

    assert call(node, "teardown", exec_call(spoiled)).exit_code == 0

    assert node.snapshot() == before


def test_it_says_what_it_is(node: World) -> None:
    told = call(node, "info", "")

    assert told.document is not None
    assert (told.exit_code, told.document["api_version"]) == (0, "1.0.0")


@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        (["/x/sriov", "setup", ONE], True),
        (["sriov", "info"], True),
        (["sriov"], False),
        (["sriov", "status"], False),
    ],
)
def test_the_first_argument_says_which_door(argv: list[str], asked: bool) -> None:
    assert netavark.is_asked(argv) == asked


@pytest.mark.parametrize("key", ["container_id", "network", "network_options"])
def test_a_call_without_what_it_needs_is_refused(node: World, key: str) -> None:
    asked = exec_call(create(node))
    del asked[key]

    told = call(node, "setup", asked)

    assert (told.code, key in told.error) == (7, True)


def test_a_setup_without_a_netns_is_refused(node: World) -> None:
    told = call(node, "setup", exec_call(create(node)), "")

    assert (told.code, "missing" in told.error) == (4, True)


@pytest.mark.parametrize("verb", ["create", "setup"])
@pytest.mark.parametrize(
    ("stdin", "code"),
    [
        ("[" * 65 + "]" * 65, 6),
        ('{"a": ' * 65 + "1" + "}" * 65, 6),
        (json.dumps({str(n): n for n in range(1025)}), 7),
        ('{"name": "a", "name": "b"}', 6),
    ],
)
def test_what_is_too_much_for_cni_is_too_much_here(node: World, verb: str, stdin: str, code: int) -> None:
    assert call(node, verb, stdin).code == code


def test_a_standard_input_that_cannot_be_read_fails_a_setup_and_no_teardown(node: World) -> None:
    said: dict[int, str] = {1: "", 2: ""}

    def write(fd: int, text: str) -> None:
        said[fd] += text

    def unreadable() -> str:
        raise InputOutput("read standard input: longer than 8388608 bytes")

    codes = [netavark.main([verb, ONE], {}, unreadable, write, node._host) for verb in ("setup", "teardown")]  # noqa: SLF001

    assert codes == [1, 0]
    assert json.loads(said[1]) == {
        "error": "read standard input: longer than 8388608 bytes [cni-sriov, code 5]"
    }
    assert "longer than 8388608 bytes" in said[2]
