"""release: one attachment is given back on the operator's word, as DEL gives it back; he is told who is in there, and asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni_sriov.state.lock import Lock
from tests.unit.ctl.tool import Run, Typed, host, sriovctl
from tests.world import World

ID = "3f7a12ab9c0d" + "5e" * 26
POD_ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0"


def attach(world: World, container: str = ID, ifname: str = "eth0", **keys: Any) -> str:
    path = f"/run/netns/{container[:12]}"
    if path not in world.kernel.pods:
        world.kernel.add_pod(path)
    conf = world.conf(**{"ipam": world.ipam(), "vlan": 100} | keys)
    reply = world.call("ADD", conf, container, path, ifname, args=POD_ARGS)
    assert reply.code == 0, reply.text
    return path


def abandon(world: World, container: str = ID) -> None:
    world.kernel.pods[f"/run/netns/{container[:12]}"].is_abandoned = True


def name_process(world: World, path: str, comm: str = "sleep") -> str:
    pid = world.kernel.pods[path].pid
    (world.root / f"proc/{pid}").mkdir(parents=True)
    (world.root / f"proc/{pid}/comm").write_text(f"{comm}\n")
    return f"{comm} (pid {pid})"


def release(world: World, *argv: str, typed: str | None = None) -> Run:
    return sriovctl(world, "release", *argv, stdin=None if typed is None else Typed(typed))


@pytest.fixture
def before(world: World) -> dict[str, Any]:
    for vf in world.kernel.pfs[0].vfs:  # as after its first `up`: the PF knows the address it has
        vf.state.mac = vf.link.mac if vf.link else ""
    return world.snapshot()


def without_pods(world: World) -> dict[str, Any]:
    for path in [path for path in world.kernel.pods if path != "/run/netns/pod1"]:
        del world.kernel.pods[path]
    return world.snapshot()


@pytest.mark.parametrize("target", [f"{ID}/eth0", ID, "3f7a12ab9c0d/eth0", "3f7a"])
def test_all_that_it_holds_comes_back_and_the_world_is_as_before(
    world: World, before: dict[str, Any], target: str
) -> None:
    attach(world)
    abandon(world)

    run = release(world, target, "--yes")

    assert (run.status, run.err) == (0, "")
    assert run.out.splitlines()[-2:] == [
        "given back",
        "/run/netns/3f7a12ab9c0d stays mounted: umount it when nobody needs it",
    ]
    assert without_pods(world) == before


def test_again_is_success_and_so_is_the_runtimes_late_del(world: World, before: dict[str, Any]) -> None:
    path = attach(world)
    assert release(world, ID, "--yes").status == 0

    again = release(world, ID, "--yes")

    assert (again.status, again.err) == (0, "")
    assert again.out.startswith(f"nothing is attached as {ID}")
    assert world.call("DEL", world.conf(ipam=world.ipam()), ID, path, "eth0").code == 0
    assert without_pods(world) == before


def test_it_says_what_is_held_and_who_is_in_there_and_asks(world: World) -> None:
    who = name_process(world, attach(world))

    run = release(world, "3f7a12ab9c0d/eth0", typed="y\n")

    lines = run.out.splitlines()
    assert lines[0].startswith("3f7a12ab9c0d/eth0 of network fast (pod shop/web-0), since 20")
    assert lines[1] == "  holds enp1s0f0 vf 0, 10.10.0.0/24"
    assert lines[2] == f"  in its network namespace /run/netns/3f7a12ab9c0d: {who}"
    assert lines[3].startswith("Give it back? Nothing is ended; who is in there loses the interface. [y/N] ")
    assert (run.status, run.out.endswith("given back\n")) == (0, True)
    assert world.files() == []


@pytest.mark.parametrize("typed", ["\n", "n\n", "", "yes please\n", "no\n"])
def test_without_a_yes_nothing_is_changed(world: World, typed: str) -> None:
    attach(world)
    here, effects = world.snapshot(), list(world.kernel.effects)

    run = release(world, ID, typed=typed)

    assert (run.status, run.out.endswith("nothing was changed\n")) == (1, True)
    assert (world.snapshot(), world.kernel.effects) == (here, effects)


@pytest.mark.parametrize("argv", [(), ("--json",)])
def test_where_nobody_can_be_asked_it_is_usage(world: World, argv: tuple[str, ...]) -> None:
    attach(world)
    here = world.snapshot()

    run = release(world, ID, *argv, typed="y\n" if argv else None)

    assert run.status == 2
    assert "--yes" in run.err + run.out
    assert world.snapshot() == here


def test_a_dry_run_only_looks(world: World) -> None:
    path = attach(world)
    who = name_process(world, path)
    here, effects = world.snapshot(), list(world.kernel.effects)

    text = release(world, ID, "--dry-run")
    document = release(world, ID, "--dry-run", "--json").document

    assert (text.status, text.out.splitlines()[-1]) == (0, "nothing was changed; --yes gives it back")
    assert document == {
        "version": 1,
        "dryRun": True,
        "attachment": {"containerID": ID, "ifname": "eth0", "netns": path, "inside": [who], "keptBy": []},
        "items": [
            {
                "kind": kind,
                "what": what,
                "owner": f"{ID}/eth0",
                "taken": True,
                "reason": "it would be given back",
            }
            for kind, what in (("vf", "enp1s0f0 vf 0"), ("lease", "10.10.0.0/24"))
        ],
    }
    assert (world.snapshot(), world.kernel.effects) == (here, effects)


def test_json_of_what_was_done_and_of_nothing(world: World) -> None:
    attach(world)
    abandon(world)

    done = release(world, ID, "--yes", "--json").document
    again = release(world, ID, "--yes", "--json").document

    assert done["attachment"]["keptBy"] == ["/run/netns/3f7a12ab9c0d"]
    assert [(item["kind"], item["taken"], item["reason"]) for item in done["items"]] == [
        ("vf", True, "given back"),
        ("lease", True, "given back"),
    ]
    assert again == {"version": 1, "dryRun": False, "attachment": None, "items": []}


def test_one_of_two_interfaces_is_named_and_the_other_stays(world: World) -> None:
    attach(world)
    attach(world, ifname="net1")

    both = release(world, ID, "--yes")
    assert (both.status, "2 attachments are called so" in both.err) == (1, True)
    assert f"{ID}/eth0, {ID}/net1" in both.err
    assert release(world, f"{ID[:8]}/net1", "--yes").status == 0

    assert [str(claim.attachment) for claim in host(world).ledger.claims()] == [f"{ID}/eth0"]


def test_three_characters_are_too_few_for_anybody(world: World) -> None:
    attach(world)

    assert release(world, "3f7", "--yes").out.startswith("nothing is attached as 3f7")
    assert len(host(world).ledger.claims()) == 1


def test_a_running_verb_is_not_overtaken(world: World) -> None:
    attach(world)
    here = world.snapshot()

    with Lock(str(world.run_dir / f"locks/{ID}@eth0"), "ADD"):
        run = release(world, ID, "--yes")

    assert (run.status, "a running verb holds it" in run.err) == (1, True)
    assert world.snapshot() == here


def test_every_state_directory_is_found(world: World, before: dict[str, Any]) -> None:
    attach(world, stateDir=str(world.root / "elsewhere"))

    assert release(world, ID, "--yes").status == 0

    assert list((world.root / "elsewhere").iterdir()) == []
    assert without_pods(world) == before


def test_a_lease_under_another_main_plugin(world: World) -> None:
    conf = {"cniVersion": "1.0.0", "name": "br", "type": "bridge", "ipam": world.ipam()}
    assert world.call("ADD", conf, ID, ifname="eth0", door="host-subnet").code == 0

    run = release(world, ID, "--yes")

    assert (run.status, run.out.splitlines()[0]) == (0, "3f7a12ab9c0d/eth0 of network br")
    assert world.files() == []


def test_a_vf_that_cannot_come_back_yet_is_told_and_is_no_success(world: World) -> None:
    attach(world)
    kernel, pf = world.kernel, world.kernel.pfs[0].link
    kernel.move(kernel.host, kernel.netlink.ifindex(pf.name), kernel.add_pod("/run/netns/pf"), pf.name)

    run = release(world, ID, "--yes")

    assert (run.status, "not given back: " in run.out) == (1, True)
    assert "PF 0000:01:00.0 is in another netns" in run.out


@pytest.mark.parametrize("leases", [True, False])
@pytest.mark.parametrize("target", [f"{ID}/eth0", "3f7a"])
def test_a_claim_that_cannot_be_read_is_not_nothing(world: World, target: str, leases: bool) -> None:
    without: dict[str, Any] = {} if leases else {"ipam": None}
    attach(world, **without)
    (claim,) = (world.run_dir / "claims").iterdir()
    (record,) = world.state_dir.iterdir()
    for path in (claim, record):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))

    run = release(world, target, "--yes")

    assert (run.status, "sriovctl gc --forget" in run.err) == (1, True)


def test_who_may_be_in_there_unseen_is_told(world: World) -> None:
    attach(world)
    world.kernel.blind_spot = "this process is in a pid namespace of its own"

    out = release(world, ID, "--dry-run").out

    assert "who is in its network namespace /run/netns/3f7a12ab9c0d cannot be seen from here" in out


def test_a_recording_is_not_changed(world: World) -> None:
    run = sriovctl(world, "--replay", "/nowhere", "release", ID, "--yes")

    assert (run.status, "it needs a node" in run.err) == (1, True)
