"""Remedies, followed as they stand: the state is made, the remedy told through the door, and what it names is typed."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from cni_sriov.ctl.commands.metrics import COMMAND as METRICS
from cni_sriov.ctl.recording.faces import RecordedFiles
from cni_sriov.ctl.recording.tree import Tree
from cni_sriov.decide import choose
from cni_sriov.words.errors import InputOutput, KernelRefused, NoFreeVf
from tests import remedies
from tests.remedies import follows
from tests.unit import dpdk
from tests.unit.ctl.following import follow, with_modules
from tests.unit.ctl.import_node import Node
from tests.unit.ctl.tool import attach, host, sriovctl
from tests.unit.one_port import a_world
from tests.world import Reply, World

VF, PF, POD = "0000:01:10.0", "0000:01:00.0", "/run/netns/pod1"
POOL = {"subnet": "10.10.0.0/16", "prefixLength": 24}
POD_ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0"


def add(world: World, container: str, args: str = "", **keys: Any) -> Reply:
    path = f"/run/netns/{container}"
    if path not in world.kernel.pods:
        world.kernel.add_pod(path)
    return world.call("ADD", world.conf(**keys), container, path, args=args)


@pytest.fixture
def node(world: World) -> World:
    """With vfio-pci and an IOMMU, and the module that knows the VFs."""
    return dpdk.furnish(with_modules(world))


@pytest.fixture
def used(world: World) -> World:
    """Its first VF has had a container."""
    attach(world, vlan=100)
    assert world.call("DEL", world.conf(ipam=world.ipam())).code == 0
    return world


# who has what ---------------------------------------------------------------------------------------------------------


@follows("ctl/keepers", "sriovctl release")
@pytest.mark.parametrize("verb", ["status", "gc"])
def test_a_container_of_which_a_mount_is_left_is_released(world: World, verb: str) -> None:
    attach(world)
    world.kernel.pods[POD].is_abandoned = True

    follow(world, next(line for line in sriovctl(world, verb).out.splitlines() if "no process" in line))

    assert host(world).ledger.claims() == []


@follows("owner/holder", "sriovctl release", "sriovctl leases")
@follows("owner/observer", "sriovctl gc")
def test_who_has_the_address_is_released_by_name(world: World) -> None:
    assert add(world, "c1", ipam=world.ipam()).code == 0
    mine: dict[str, Any] = {"args": "IP=10.10.0.2", "ipam": world.ipam()}
    refused = add(world, "c2", **mine)
    assert refused.code == 104

    follow(world, refused.document["details"])

    assert add(world, "c2", **mine).code == 0


@follows("owner/holder", "sriovctl forget")
def test_what_is_kept_for_a_pod_is_forgotten_by_its_key(world: World) -> None:
    sticky = world.ipam(sticky=True)
    assert add(world, "c1", POD_ARGS, ipam=sticky).code == 0
    assert world.call("DEL", world.conf(ipam=sticky), "c1", "").code == 0
    mine: dict[str, Any] = {"args": "IP=10.10.0.2", "ipam": world.ipam()}
    refused = add(world, "c2", **mine)
    assert (refused.code, "sriovctl release" in refused.document["details"]) == (104, False)

    follow(world, refused.document["details"])

    assert add(world, "c2", **mine).code == 0


@follows("owner/holder", "sriovctl vfs")
def test_more_vfs_are_made_when_none_is_in_use(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.kernel.add_pf(numvfs=1, totalvfs=7)
    assert add(world, "c1").code == 0
    told = add(world, "c9").document["details"]
    assert world.call("DEL", world.conf(), "c1", "").code == 0
    words = told.replace("CONTAINER/IFNAME", "c1/net1")  # as it is named behind it

    assert "claimed by c1/net1 of" in told
    follow(world, words)

    assert [add(world, name).code for name in ("c1", "c2", "c9")] == [0, 0, 0]


@follows("decide/choose", "`sriovctl status` has all")
def test_of_many_vfs_status_has_all(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.kernel.add_pf(numvfs=10, totalvfs=10)
    for number in range(10):
        assert add(world, f"c{number}").code == 0

    told = add(world, "late").document["details"]

    (run,) = follow(world, told[told.index("and 2 more") :])
    assert run.out.count("/net1") == 10


@follows("leases/transaction", "sriovctl leases")
def test_who_reserves_twice_finds_his_leases(world: World) -> None:
    conf = {"cniVersion": "1.0.0", "name": "br", "type": "bridge", "ipam": world.ipam()}
    world.kernel.add_pod("/run/netns/b1")
    replies = [world.call("ADD", conf, "b1", "/run/netns/b1", door="host-subnet") for _ in range(2)]
    assert [reply.code for reply in replies] == [0, 106]

    (run,) = follow(world, replies[1].document["details"])

    assert "b1/net1" in run.out


@follows("decide/subnets", "`sriovctl leases`, `sriovctl gc`")
def test_a_pool_that_is_used_up(world: World) -> None:
    one = world.ipam(pools=[{"subnet": "10.10.0.0/24", "prefixLength": 24}])
    assert add(world, "c1", ipam=one).code == 0
    told = add(world, "c2", ipam=one)
    assert told.code == 11
    world.kernel.kill_netns("/run/netns/c1")

    follow(world, told.document["details"])

    assert add(world, "c2", ipam=one).code == 0


@follows("ctl/forget", "sriovctl leases")
def test_nothing_is_kept_for_it(world: World) -> None:
    follow(world, sriovctl(world, "forget", "shop/nobody").err)


@follows("ctl/show_release", "sriovctl status")
def test_nothing_is_attached_as_that(world: World) -> None:
    follow(world, sriovctl(world, "release", "nobody/net1", "--yes").out)


@follows("ctl/commands/release", "--yes")
def test_a_script_that_releases_says_so(world: World) -> None:
    attach(world)

    look, act = reversed(remedies.followed(sriovctl(world, "release", "c1/net1").err))

    assert [sriovctl(world, *words).status for words in (look, act)] == [0, 0]
    assert host(world).ledger.claims() == []


@follows("ctl/status/selection", "sriovctl leases")
def test_what_status_is_asked_for_and_does_not_find(world: World) -> None:
    follow(world, sriovctl(world, "status", "nobody").err)


@follows("ctl/story/subjects", "lists who is attached", "name one of its VFs")
def test_what_explain_is_asked_for_and_does_not_find(world: World) -> None:
    follow(world, sriovctl(world, "explain", "nobody").err)
    follow(world, sriovctl(world, "explain", PF).err)


# files that cannot be read --------------------------------------------------------------------------------------------


@follows("words/errors", "sriovctl gc --forget")
@pytest.mark.parametrize("state", ["state", "my state; it's"])
def test_a_file_that_cannot_be_read_is_given_up_by_its_path(world: World, state: str) -> None:
    """Also by one that a shell would take apart."""
    directory = world.root / state
    attach(world, stateDir=str(directory))
    files = [directory / "c1@net1", *(world.run_dir / "claims").iterdir()]
    for file in files:
        file.write_text("{")
    refused = world.call("DEL", world.conf(stateDir=str(directory)), "c1", "")

    follow(world, refused.document["details"])

    assert len([file for file in files if file.exists()]) == 1


@follows("ctl/giveup", "DEL gives back what it holds", "sriovctl restore", "sriovctl bind {} kernel")
def test_what_can_be_read_is_given_back_otherwise(node: World) -> None:
    attach(node)
    node.kernel.kill_netns(POD)
    (claim,) = (node.run_dir / "claims").iterdir()
    follow(node, sriovctl(node, "gc", "--forget", str(claim)).err)
    assert host(node).ledger.claims() == []

    other = "0000:01:10.4"
    assert sriovctl(node, "bind", other, "vfio-pci").status == 0
    kept = node.run_dir / "bound" / other
    follow(node, sriovctl(node, "gc", "--forget", str(kept)).err)
    assert dpdk.driver(node, other) == "igbvf"

    assert sriovctl(node, "bind", other, "vfio-pci").status == 0
    kept.write_text("{")
    follow(node, sriovctl(node, "gc", "--forget", str(kept)).out)
    assert dpdk.driver(node, other) == "igbvf"


@follows("vf/golden", "sriovctl baseline --take")
def test_what_a_vf_was_cannot_be_read(used: World) -> None:
    (used.run_dir / "golden" / VF).write_text("{")
    assert used.call("ADD", used.conf(master=None, deviceID=VF)).code == 11
    told = sriovctl(used, "baseline").out

    follow(used, told[told.index("; `sriovctl baseline") :])

    assert used.call("ADD", used.conf(master=None, deviceID=VF)).code == 0


@follows("ctl/baseline", "lists them", "sriovctl gc")
def test_what_is_not_taken_for_golden(used: World) -> None:
    follow(used, sriovctl(used, "baseline", "--take", "0000:01:1f.7").err)
    attach(used)
    used.kernel.kill_netns(POD)
    follow(used, sriovctl(used, "baseline", "--take", VF).err)
    assert sriovctl(used, "baseline", "--take", VF).status == 0


# PFs and VFs ----------------------------------------------------------------------------------------------------------


@follows("vf/claim", "sriovctl status")
@follows("vf/lone", "sriovctl status")
def test_no_such_pf_and_no_such_vf(world: World) -> None:
    for keys in ({"master": "enp9s0f9"}, {"master": None, "deviceID": "0000:09:10.0"}):
        refused = add(world, "c1", **keys)
        assert refused.code == 101, refused.text
        follow(world, refused.document["details"])


@follows("vf/netdev", "sriovctl bind")
def test_a_vf_on_vfio_for_who_wants_a_netdev(node: World) -> None:
    for vf in node.kernel.pfs[0].vfs:
        node.kernel.set_driver(vf, "vfio-pci")
    refused = add(node, "c1")

    follow(node, refused.document["details"])

    assert add(node, "c1").code == 0


@follows("ctl/foretell", "sriovctl oracle {}", "shows every PF")
def test_what_the_oracle_is_asked_for_and_is_no_pf(world: World) -> None:
    for where in ("0000:01:10.0", "0000:09:00.0"):
        told = sriovctl(world, "oracle", where).err
        assert remedies.followed(told)
        assert [sriovctl(world, *words).status for words in remedies.followed(told)] == [0]


@follows("decide/planner", "sriovctl gc")
def test_what_a_dead_container_has_is_bound_after_gc(node: World) -> None:
    attach(node)
    node.kernel.kill_netns(POD)
    follow(node, sriovctl(node, "bind", VF, "vfio-pci").err)
    assert sriovctl(node, "bind", VF, "vfio-pci").status == 0


@follows("ctl/vfs", "sriovctl gc")
def test_the_number_of_vfs_is_changed_after_gc(world: World) -> None:
    attach(world)
    world.kernel.kill_netns(POD)

    follow(world, sriovctl(world, "vfs", "enp1s0f0", "3").err)

    assert sriovctl(world, "vfs", "enp1s0f0", "3").status == 0


@follows("ctl/commands/bind", "takes the driver away")
def test_an_empty_driver_is_no_word_for_unbind(node: World) -> None:
    told, *_ = sriovctl(node, "bind", VF, "").err.splitlines()

    ((verb, _),) = remedies.followed(told)

    assert sriovctl(node, verb, VF).status == 0
    assert dpdk.driver(node) == ""
    assert sriovctl(node, "restore", VF).status == 0


# configurations, recordings, and the rest -------------------------------------------------------------------------------


@follows("ctl/profile", "sriovctl validate")
def test_a_file_without_a_plugin_of_ours(world: World, tmp_path: Path) -> None:
    file = tmp_path / "10 bridge.conf"
    file.write_text('{"cniVersion": "1.0.0", "name": "a", "type": "bridge"}')
    told = sriovctl(world, "profile", str(file))
    assert told.status == 1

    (words,) = remedies.followed(told.err)

    assert str(file) in "".join((run := sriovctl(world, *words)).out + run.err)


@follows("ctl/importer", "sriovctl validate", "overlaps a lease")
def test_an_import_that_cannot_be(world: World) -> None:
    node = Node(world)
    node.hold("10.1.0.2", "c2")
    assert node.bridge("ADD", "other", args={"cni": {"ips": ["10.1.0.2"]}}).code == 0
    (run,) = follow(world, node.run().err)
    assert "other/net1" in run.out
    node.conf["ipam"]["pools"] = 5
    node.file.write_text(json.dumps(node.conf))
    (run,) = follow(world, node.run().err, 1)
    assert "error" in run.out


@follows("ctl/hostjson", "sriovctl validate")
def test_a_hosts_file_that_is_wrong(world: World) -> None:
    file = world.root / "my host.json"
    file.write_text('{"pfs": 5}')
    told = sriovctl(world, "apply", "/my host.json")

    ((verb, name),) = remedies.followed(told.err)

    assert (told.status, name) == (1, "/my host.json")
    assert "pfs" in sriovctl(world, verb, str(file)).out, (
        "validate reads where its shell does, and has no root of its own"
    )


@follows("ctl/recording/replay", "sriovctl record")
@follows("ctl/recording/recording", "sriovctl record")
def test_a_recording_that_is_none(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_text("{}")
    follow(world, sriovctl(world, "--replay", str(tmp_path / "none"), "status").err)
    (tmp_path / "node.recording").unlink()

    follow(world, sriovctl(world, "--replay", str(tmp_path / "x"), "status").err)

    assert sriovctl(world, "--replay", "node.recording", "status").status == 0


@follows("ctl/commands/metrics", "sriovctl status --json")
def test_who_wants_metrics_as_json(world: World) -> None:
    assert METRICS.needs_root
    follow(world, sriovctl(world, "metrics", "--json").document["error"]["details"])


@follows("ctl/commands/oracle", "--after")
def test_the_oracle_after_an_error_wants_a_pf(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    told = sriovctl(world, "oracle", "--after", "ENOMEM").err

    ((verb, *_),) = remedies.followed(told)
    assert sriovctl(world, verb, "enp1s0f0", "--after", "ENOMEM").status == 0


# drivers --------------------------------------------------------------------------------------------------------------


@follows("vf/unbound", "sriovctl restore")
def test_a_driver_that_goes_while_it_is_asked(node: World) -> None:
    def refuse(*_: object) -> None:
        raise KernelRefused("bind it", errno.ENODEV)

    node.kernel.before("probe", refuse)
    refused = sriovctl(node, "bind", VF, "vfio-pci")
    assert refused.status == 1

    follow(node, refused.err)

    assert dpdk.driver(node) == "igbvf"


@follows("ctl/bind", "has no driver now")
def test_neither_driver_takes_it(world: World) -> None:
    """vfio's probe refuses it without a word, and then the old driver's is refused by the kernel."""
    world.kernel.tree.add_driver("vfio-pci")
    parameter = world.root / "kernel/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
    parameter.parent.mkdir(parents=True)
    parameter.write_text("Y\n")
    probes = []

    def refuse(*_: object) -> None:
        probes.append(1)
        if len(probes) == 2:
            raise KernelRefused("bind it", errno.EIO)

    world.kernel.before("probe", refuse, always=True)
    refused = sriovctl(world, "bind", VF, "vfio-pci")

    follow(world, refused.err)

    assert dpdk.driver(world) == "igbvf"


@follows("ctl/bind", "makes them anew")
def test_a_pf_that_comes_back_has_its_vfs_again(node: World) -> None:
    assert sriovctl(node, "bind", PF, "vfio-pci", "--force").status == 0
    told = sriovctl(node, "restore", PF)

    follow(node, told.out)

    assert len(node.kernel.pfs[0].vfs) == 7


@follows("ctl/bind", "lists them")
@follows("ctl/vfs", "sriovctl vfs {}")
def test_a_vf_that_is_none_and_a_pf_that_is_one(world: World) -> None:
    follow(world, sriovctl(world, "bind", "enp1s0f0:9", "vfio-pci").err)
    follow(world, sriovctl(world, "vfs", "enp1s0f0v0", "3").err)


@follows("decide/planner", "sriovctl bind {} {}")
def test_without_an_iommu_uio_is_asked_for_by_name(world: World) -> None:
    for name in ("vfio-pci", "uio_pci_generic"):
        world.kernel.tree.add_driver(name)
    world.kernel.tree.device(VF).joinpath("irq").write_text("11\n")

    follow(world, sriovctl(world, "bind", VF, "auto").err)

    assert dpdk.driver(world) == "uio_pci_generic"


@follows("decide/planner", "use {}: ")
def test_where_uio_is_forbidden_vfio_is_taken(node: World) -> None:
    lockdown = node.kernel.root / "sys/kernel/security/lockdown"
    lockdown.parent.mkdir(parents=True, exist_ok=True)
    lockdown.write_text("none [integrity] confidentiality\n")

    follow(node, sriovctl(node, "bind", VF, "uio_pci_generic").err)

    assert dpdk.driver(node) == "vfio-pci"


@follows("decide/planner", "sriovctl bind {} {} --force")
def test_a_group_that_is_shared_is_bound_whole(node: World) -> None:
    other, tree = "0000:01:10.2", node.kernel.tree
    group = int(tree.device(VF).joinpath("iommu_group").readlink().name)
    tree.device(other).joinpath("iommu_group").unlink()
    tree.add_to_group(other, group)

    follow(node, sriovctl(node, "bind", VF, "vfio-pci").err)

    assert [dpdk.driver(node, one) for one in (VF, other)] == ["vfio-pci"] * 2


@follows("decide/provision", "sriovctl gc", "sriovctl status")
def test_what_apply_refuses(world: World) -> None:
    file = world.root / "host.json"
    file.write_text(json.dumps({"pfs": [{"pf": {"names": ["enp9s0"]}, "numvfs": 7}]}))
    follow(world, sriovctl(world, "apply", "/host.json").out)
    attach(world)
    world.kernel.kill_netns(POD)
    file.write_text(json.dumps({"pfs": [{"pf": {"names": ["enp1s0f0"]}, "numvfs": 3}]}))
    follow(world, sriovctl(world, "apply", "/host.json").out)
    assert sriovctl(world, "apply", "/host.json").status == 0


@follows("decide/provision", "no driver is bound", "driver {} makes none")
def test_a_pf_without_a_netdev_is_given_it_back(node: World) -> None:
    file = node.root / "host.json"
    file.write_text(json.dumps({"pfs": [{"pf": {"pciAddresses": [PF]}, "mtu": 9000}]}))
    for away in (("unbind", PF, "--force"), ("bind", PF, "vfio-pci", "--force")):
        assert sriovctl(node, *away).status == 0
        follow(node, sriovctl(node, "apply", "/host.json").out)
        assert sriovctl(node, "apply", "/host.json").status == 0


# the rest -------------------------------------------------------------------------------------------------------------


@follows("decide/subnets", "see `sriovctl leases`")
def test_one_subnet_asked_for_twice(world: World) -> None:
    refused = add(world, "c1", "IP=10.10.0.2,10.10.0.3", ipam=world.ipam(pools=2 * [POOL]))
    assert refused.code == 104, refused.text

    follow(world, refused.document["details"])


@follows("decide/choose", "no PF was named")
def test_no_pf_is_left_to_choose_of(tmp_path: Path) -> None:
    """Its PFs went between the look and the choice."""
    with pytest.raises(NoFreeVf) as caught:
        choose.free_vf([], {})

    follow(World(tmp_path), caught.value.details)


@follows("ctl/status/watch", "--watch --json")
def test_a_pipe_is_no_terminal_to_watch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Mock(side_effect=KeyboardInterrupt)
    monkeypatch.setattr("cni_sriov.ctl.status.watch._documents", seen)

    ((verb, *options),) = remedies.followed(sriovctl(world, "status", "--watch").err)
    with pytest.raises(KeyboardInterrupt):
        sriovctl(world, verb, *options)

    assert seen.called


@follows("ctl/commands/explain", "sriovctl profile")
def test_what_explain_did_to_a_file(world: World, tmp_path: Path) -> None:
    file = tmp_path / "my net.conf"
    file.write_text('{"type": "bridge"}')

    told = sriovctl(world, "explain", str(file)).err.splitlines()[0]

    follow(world, told, 1)  # that file has no plugin of ours


@follows("ctl/commands/explain", "--key")
def test_a_container_that_is_called_like_a_key(world: World) -> None:
    assert add(world, "vlan").code == 0

    told = sriovctl(world, "explain", "vlan").out

    (run,) = follow(world, told[told.index("a key of a configuration") :])
    assert "vlan" in run.out


@follows("ctl/commands/helping", "sriovctl help")
def test_no_such_verb_to_have_help_for(world: World) -> None:
    told = sriovctl(world, "help", "qqqqqqq").err

    assert remedies.followed(told) == [["help"]]
    assert sriovctl(world, "help").status == 0


@follows("ctl/giveup", "sriovctl baseline")
def test_what_a_vf_is_whose_claim_was_given_up(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    attach(world)
    (claim,) = (world.run_dir / "claims").iterdir()
    for file in (claim, world.state_dir / "c1@net1"):
        file.write_text("{")
    world.kernel.kill_netns(POD)

    follow(world, sriovctl(world, "gc", "--forget", str(claim)).out)


@follows("decide/oracle", "sriovctl vfs {} {}; {}")
def test_more_vfs_than_the_card_can_have(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.kernel.add_pf(numvfs=0, totalvfs=7)

    follow(world, sriovctl(world, "vfs", "enp1s0f0", "9").err)

    assert len(world.kernel.pfs[0].vfs) == 7


@follows("vf/vppcontainer", "sriovctl gc")
def test_a_directory_of_a_dead_containers_vpp(tmp_path: Path) -> None:
    world = dpdk.furnish(a_world(tmp_path, vfs=2))
    shared = dpdk.conf(world, vpp=world.vpp_conf(directory=str(world.vpp_dir)))
    world.kernel.add_pod("/run/netns/c2")
    assert world.call("ADD", shared).code == 0
    refused = world.call("ADD", shared, "c2", "/run/netns/c2")
    world.kernel.kill_netns(POD)

    follow(world, refused.document["details"])

    assert world.call("ADD", shared, "c2", "/run/netns/c2").code == 0


@follows("ctl/recording/faces", "sriovctl record")
def test_a_recording_that_lacks_what_is_asked(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputOutput) as caught:
        RecordedFiles("", Tree()).text("/etc/os-release")

    follow(world, caught.value.details)

    assert sriovctl(world, "--replay", "node.recording", "status").status == 0
