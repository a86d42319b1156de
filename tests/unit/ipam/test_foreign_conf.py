"""A foreign IPAM is given the whole configuration, as it came, whoever asks it: ADD, its undo, DEL, CHECK, GC, reclaim."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Crash
from tests.unit.ctl.tool import sriovctl
from tests.world import World

# what calico-ipam reads beside `ipam` (projectcalico/calico, cni-plugin/pkg/types/types.go, NetConf, v3.29)
NEEDED = ("datastore_type", "kubernetes", "nodename", "log_level")
BESIDE: dict[str, Any] = {
    "datastore_type": "kubernetes",
    "kubernetes": {"kubeconfig": "/etc/cni/net.d/calico-kubeconfig"},
    "nodename": "node1",
    "log_level": "info",
    "etcd_password": "s3cret-of-etcd",
}


class Picky:
    """Refuses every verb if a key is missing that it needs; knows what it gave out."""

    def __init__(self, world: World) -> None:
        self.calls: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.held: set[str] = set()
        self.fails: set[str] = set()
        self.wants: dict[str, Any] = {}
        self.world = world
        world.plugins = self

    def __call__(self, _executable: str, env: dict[str, str], stdin: str) -> tuple[int, str]:
        if self.world.kernel.is_dead:
            raise Crash("whoever was killed calls nobody")
        verb, conf = env["CNI_COMMAND"], json.loads(stdin)
        self.calls.append((verb, conf, env))
        missing = [key for key in NEEDED if key not in conf]
        wrong = [key for key, value in self.wants.items() if conf.get(key) != value]
        if missing or wrong or verb in self.fails:
            return 1, json.dumps({"code": 999, "msg": f"no {missing + wrong}"})
        name = f"{env['CNI_CONTAINERID']}/{env['CNI_IFNAME']}"
        if verb == "ADD":
            self.held.add(name)
            return 0, json.dumps({"cniVersion": conf["cniVersion"], "ips": [{"address": "10.1.0.5/24"}]})
        if verb == "DEL":
            self.held.discard(name)
        return 0, ""

    @property
    def verbs(self) -> list[str]:
        return [verb for verb, _, _ in self.calls]


@pytest.fixture
def picky(world: World, tmp_path: Path) -> Picky:
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "calico-ipam").write_text("")
    (directory / "calico-ipam").chmod(0o755)
    world.cni_path = str(directory)
    return Picky(world)


def conf(world: World, **keys: Any) -> dict[str, Any]:
    return world.conf(**({"ipam": {"type": "calico-ipam", "assign_ipv4": "true"}} | BESIDE | keys))


def test_every_verb_of_an_attachment_gets_the_conf_of_its_call(world: World, picky: Picky) -> None:
    before = world.snapshot()
    args = "IgnoreUnknown=1;K8S_POD_NAME=web;FOO=bar"
    prev = {"cniVersion": "1.0.0", "interfaces": [], "ips": [{"address": "10.1.0.5/24"}], "routes": []}
    calls = [
        ("ADD", conf(world), "/run/netns/pod1"),
        ("CHECK", conf(world, prevResult=prev), "/run/netns/pod1"),
        ("DEL", conf(world, prevResult=prev), ""),
    ]

    assert [world.call(verb, given, netns=netns, args=args).code for verb, given, netns in calls] == [0, 0, 0]

    assert [(verb, given, env["CNI_NETNS"]) for verb, given, env in picky.calls] == calls
    assert {env["CNI_ARGS"] for _, _, env in picky.calls} == {args}
    assert (picky.held, world.snapshot()) == (set(), before)


def test_keys_in_another_case_are_passed_on_in_theirs(world: World, picky: Picky) -> None:
    given = conf(world, logLevel=None, LogLevel="info", Vlan=100, blob="x" * 100_000) | {"trust": None}
    for verb in ("ADD", "DEL"):
        assert world.call(verb, given).code == 0
    assert [told for _, told, _ in picky.calls] == [given, given]


def test_a_failed_add_gets_its_delete_with_the_same_conf(world: World, picky: Picky) -> None:
    before = world.snapshot()
    picky.fails = {"ADD"}

    assert world.call("ADD", conf(world)).code == 5

    assert [(verb, given) for verb, given, _ in picky.calls] == [("ADD", conf(world)), ("DEL", conf(world))]
    assert world.snapshot() == before


def test_an_undone_add_gives_the_address_back(world: World, picky: Picky) -> None:
    """The ADD fails after the IPAM gave it: the kernel refuses the address."""
    before = world.snapshot()
    fatal = effect_of_the_address(world)
    picky.calls.clear()
    world.kernel.fail_effect(fatal, "before")

    assert world.call("ADD", conf(world)).code == 5

    assert (picky.verbs, picky.held, world.snapshot()) == (["ADD", "DEL"], set(), before)


@pytest.mark.parametrize("how", ["reclaim", "gc", "another network's gc"])
def test_who_has_no_call_of_that_attachment_uses_what_the_record_keeps(
    world: World, picky: Picky, how: str
) -> None:
    assert world.call("ADD", conf(world), args="IgnoreUnknown=1;FOO=bar").code == 0
    world.kernel.kill_netns("/run/netns/pod1")
    new = {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []}
    if how == "reclaim":
        world.kernel.add_pod("/run/netns/pod2")
        assert world.call("ADD", world.conf(deviceID="0000:01:10.0"), "c2", "/run/netns/pod2").code == 0
    elif how == "gc":
        assert world.call("GC", conf(world, **new), "", "", "").code == 0
    else:
        assert world.call("GC", world.conf(**new), "", "", "").code == 0

    ((_, given, env),) = [call for call in picky.calls if call[0] == "DEL"]
    assert (given, env["CNI_ARGS"]) == (conf(world), "IgnoreUnknown=1;FOO=bar")
    assert picky.held == set()


def test_gc_of_the_network_gets_the_conf_with_the_valid_attachments(world: World, picky: Picky) -> None:
    given = conf(world, cniVersion="1.1.0", **{"cni.dev/valid-attachments": []})
    assert world.call("GC", given, "", "", "").code == 0
    assert world.call("STATUS", given, "", "", "").code == 0
    assert [(verb, told) for verb, told, _ in picky.calls] == [("GC", given), ("STATUS", given)]


def test_an_add_that_died_is_taken_back_by_the_next(world: World, picky: Picky) -> None:
    world.kernel.crash_at(effect_of_the_address(world), "before")
    with pytest.raises(Crash):
        world.call("ADD", conf(world))
    world.kernel.restart()
    assert (picky.held, picky.verbs.count("DEL")) == ({"c1/net1"}, 1)

    assert world.call("ADD", conf(world)).code == 0

    assert picky.verbs[-2:] == ["DEL", "ADD"]
    assert world.call("DEL", conf(world)).code == 0
    assert picky.held == set()


def effect_of_the_address(world: World) -> int:
    """How many effects an ADD has before the IPAM's address is put on."""
    effects = len(world.kernel.effects)
    assert world.call("ADD", conf(world)).code == 0
    done = world.kernel.effects[effects:]
    assert world.call("DEL", conf(world)).code == 0
    return next(n for n, what in enumerate(done) if what.startswith("add address 10.1.0.5"))


def test_newer_credentials_beside_the_ipam_are_used(world: World, picky: Picky) -> None:
    assert world.call("ADD", conf(world, etcd_password="old")).code == 0
    picky.wants = {"etcd_password": "new"}

    assert world.call("DEL", conf(world, etcd_password="new")).code == 0

    assert (picky.held, picky.verbs) == (set(), ["ADD", "DEL"])


def test_a_call_whose_conf_lost_a_key_falls_back_to_the_records(world: World, picky: Picky) -> None:
    assert world.call("ADD", conf(world)).code == 0

    assert world.call("DEL", conf(world, nodename=None)).code == 0

    assert (picky.held, picky.verbs) == (set(), ["ADD", "DEL", "DEL"])


@pytest.mark.parametrize(
    "changed", [{"type": "calico-ipam", "assign_ipv4": "false"}, {"type": "other"}, {}, 7]
)
def test_where_the_ipam_was_changed_since_the_address_is_where_add_got_it(
    world: World, picky: Picky, changed: Any
) -> None:
    """With the new conf the plugin would find nothing, say success, and the address would be lost."""
    assert world.call("ADD", conf(world)).code == 0

    assert world.call("DEL", conf(world, ipam=changed)).code == 0

    assert [(verb, given["ipam"]) for verb, given, _ in picky.calls[1:]] == [("DEL", conf(world)["ipam"])]
    assert picky.held == set()


def test_when_both_confs_are_refused_the_first_error_is_told_and_all_is_kept(
    world: World, picky: Picky
) -> None:
    assert world.call("ADD", conf(world)).code == 0
    picky.fails = {"DEL"}

    failed = world.call("DEL", conf(world, nodename="node2"))

    assert (failed.code, "ipam calico-ipam" in failed.text, picky.verbs) == (5, True, ["ADD", "DEL", "DEL"])
    picky.fails = set()
    assert world.call("DEL", conf(world)).code == 0
    assert picky.held == set()


def test_a_record_of_an_earlier_version_has_the_short_conf_and_works(world: World, picky: Picky) -> None:
    before = world.snapshot()
    assert world.call("ADD", conf(world)).code == 0
    short = ("cniVersion", "name", "type", "ipam")
    for path in records(world):
        record = json.loads(path.read_text())
        record["ipam"]["conf"] = {key: record["ipam"]["conf"][key] for key in short}
        path.write_text(json.dumps(record))

    assert world.call("CHECK", conf(world)).code == 0
    assert world.call("DEL", conf(world)).code == 0
    assert (picky.held, world.snapshot()) == (set(), before)


def records(world: World) -> list[Path]:
    places = (world.state_dir, world.run_dir / "claims")
    return [path for place in places for path in place.iterdir() if path.is_file()]


def test_what_is_kept_is_for_root_alone_and_is_told_to_nobody(
    world: World, picky: Picky, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when all goes wrong: a refused DEL, a damaged Record."""
    secret = BESIDE["etcd_password"]
    answers = [world.call("ADD", conf(world)), world.call("CHECK", conf(world))]
    picky.fails = {"DEL"}
    answers.append(world.call("DEL", conf(world, nodename="x")))
    kept = [path for path in records(world) if secret in path.read_text()]

    assert len(kept) == 2
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in kept} == {0}

    for path in kept:
        record = json.loads(path.read_text())
        record["ipam"]["conf"] = secret
        path.write_text(json.dumps(record))
    answers.append(world.call("DEL", conf(world)))
    told = json.dumps([answer.document for answer in answers]) + world.log_file.read_text()
    assert secret not in told + "".join(capsys.readouterr())


def test_the_operators_gc_finds_the_plugin_where_add_did(world: World, picky: Picky) -> None:
    """Nobody tells it a CNI_PATH; skel (containernetworking/cni, pkg/skel/skel.go, 1.3) wants one for every verb."""
    assert world.call("ADD", conf(world)).code == 0
    world.kernel.kill_netns("/run/netns/pod1")

    run = sriovctl(world, "--state-dir", str(world.state_dir), "gc")

    assert (run.status, picky.held) == (0, set()), run.err
    assert (picky.calls[-1][1], picky.calls[-1][2]["CNI_PATH"]) == (conf(world), world.cni_path)


@pytest.mark.parametrize("verb", ["status", "leases", "gc"])
def test_the_operators_tool_does_not_show_it(world: World, picky: Picky, verb: str) -> None:
    assert world.call("ADD", conf(world)).code == 0
    run = sriovctl(world, "--state-dir", str(world.state_dir), "--json", verb)
    assert (run.status, BESIDE["etcd_password"] in run.out + run.err) == (0, False)


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else 1


@pytest.mark.parametrize(
    ("blob", "code", "why"),
    [
        ("x" * (1 << 18), 7, "store the configuration"),
        ("\xe9" * (1 << 16), 7, "store the configuration"),  # six bytes each, when it is written
        (nested(100), 6, "nested more than 64 deep"),
    ],
)
def test_a_conf_that_could_not_be_kept_is_refused_before_anything_changes(
    world: World, picky: Picky, blob: Any, code: int, why: str
) -> None:
    before = world.snapshot()

    refused = world.call("ADD", conf(world, blob=blob))

    assert (refused.code, why in refused.text) == (code, True)
    assert (picky.calls, world.snapshot()) == ([], before)


def test_an_ipam_that_is_no_more_is_named_with_the_way_out(world: World, picky: Picky) -> None:
    """DEL goes on failing, as the specification says: the plugin may be back in a minute, and its store still has the
    address. The VF is home all the same.
    """
    assert world.call("ADD", conf(world)).code == 0
    gone = Path(world.cni_path) / "calico-ipam"
    gone.rename(gone.with_name("away"))

    failed = world.call("DEL", conf(world))

    assert (failed.code, "no ipam calico-ipam in CNI_PATH" in failed.text, "/bin/true" in failed.text) == (
        7,
        True,
        True,
    )
    assert world.kernel.host.has("enp1s0f0v0")
    gone.symlink_to("/bin/true")
    world.plugins = lambda *_: (0, "")
    assert world.call("DEL", conf(world)).code == 0
    assert records(world) == []
