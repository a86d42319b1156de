"""The VF is pristine for the next tenant: whatever a container changed on its netdev, and whoever lost its Record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.state import files
from cni_sriov.vf import restore
from cni_sriov.words.errors import InputOutput, KernelRefused
from tests import fakes
from tests.fakes import FakeNetlink
from tests.unit.one_port import MINE, OTHERS, a_world, full_conf, hide_pf, link_of, show_pf, vf_of
from tests.world import World

VF = "0000:01:10.0"
# what one message puts back, and what only a new netdev has again
BY_MESSAGE = {"flags": "noarp", "ifalias": "was here", "group": "77", "gso_max_size": "4096", "features": "1"}
BY_DRIVER = {"rings": "rx 80 tx 80", "coalesce": "rx-usecs 999", "threaded": "1"}


def golden_of(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((world.run_dir / "golden" / VF).read_text())
    return found


def rebinds(world: World) -> int:
    return len([what for what in world.kernel.effects if what.startswith("bind ")])


def attach(world: World, **keys: Any) -> None:
    reply = world.call("ADD", world.conf(**keys))
    assert reply.code == 0, reply.text


@pytest.fixture(params=[True, False], ids=["all", "plain"])
def conf(request: pytest.FixtureRequest, one_vf: World) -> dict[str, Any]:
    return full_conf(one_vf) if request.param else one_vf.conf()


@pytest.mark.parametrize("up", [False, True], ids=["down", "up"])
@pytest.mark.parametrize("key", [*BY_MESSAGE, *BY_DRIVER])
def test_what_a_container_changed_is_gone_after_del(
    one_vf: World, conf: dict[str, Any], key: str, up: bool
) -> None:
    link_of(one_vf).is_up = up
    before = one_vf.settled()
    assert one_vf.call("ADD", conf).code == 0
    link_of(one_vf).traits |= {key: (BY_MESSAGE | BY_DRIVER)[key]}

    assert one_vf.call("DEL", conf).code == 0

    assert (one_vf.settled(), rebinds(one_vf)) == (before, key in BY_DRIVER)
    assert [one_vf.call(verb, conf).code for verb in ("ADD", "CHECK", "DEL")] == [0, 0, 0]
    assert (one_vf.settled(), rebinds(one_vf)) == (before, key in BY_DRIVER)


@pytest.mark.parametrize("key", [*BY_MESSAGE, "rings"])
def test_what_a_version_without_golden_baselines_attached_comes_home_anew(one_vf: World, key: str) -> None:
    """What its container left would be golden for all who come after an upgrade."""
    before = one_vf.settled()
    attach(one_vf)
    (one_vf.run_dir / "golden" / VF).unlink()
    link_of(one_vf).traits |= {key: (BY_MESSAGE | BY_DRIVER)[key]}

    assert one_vf.call("DEL", one_vf.conf()).code == 0

    assert (one_vf.settled(), rebinds(one_vf)) == (before, 1)
    attach(one_vf)
    assert golden_of(one_vf)["traits"][key] != (BY_MESSAGE | BY_DRIVER)[key]
    assert (one_vf.call("DEL", one_vf.conf()).code, rebinds(one_vf)) == (0, 1), "once, for it has one now"


def test_all_of_it_at_once_and_the_container_gone(one_vf: World, conf: dict[str, Any]) -> None:
    before = one_vf.settled()["kernel"]["vfs"], link_of(one_vf).snapshot()
    assert one_vf.call("ADD", conf).code == 0
    link_of(one_vf).traits |= BY_MESSAGE | BY_DRIVER
    one_vf.kernel.kill_netns(MINE)

    assert one_vf.call("DEL", conf, netns="").code == 0

    assert (one_vf.settled()["kernel"]["vfs"], link_of(one_vf).snapshot(), rebinds(one_vf)) == (*before, 1)


def test_what_the_kernel_tells_only_where_it_is_set_is_dirt_too(one_vf: World) -> None:
    """An attribute that nobody has named yet, which the VF had not."""
    attach(one_vf)
    link_of(one_vf).traits["attr 99"] = "07"
    drifted = one_vf.call("CHECK", one_vf.conf())

    assert one_vf.call("DEL", one_vf.conf()).code == 0

    assert (drifted.code, 'attr 99 "07", not ""' in drifted.text) == (107, True)
    assert ("attr 99" in link_of(one_vf).traits, rebinds(one_vf)) == (False, 1)
    link_of(one_vf).traits["attr 99"] = "08"
    attach(one_vf)
    assert ("attr 99" in link_of(one_vf).traits, rebinds(one_vf)) == (False, 2)


def test_a_clean_vf_is_left_alone(one_vf: World) -> None:
    attach(one_vf)
    before = len(one_vf.kernel.effects)

    assert one_vf.call("DEL", one_vf.conf()).code == 0

    assert [what.partition(" ")[0] for what in one_vf.kernel.effects[before:]] == [
        "set",
        "set",  # DOWN, and its name: one message since Linux 6.2, which the fake is not
        "move",
    ]


@pytest.mark.parametrize("how", ["refused", "without effect"])
def test_what_no_message_puts_back_a_new_netdev_has(
    one_vf: World, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """An XDP program that a process holds by a link; a feature that the driver fixes."""

    def not_so(*_: object) -> None:
        if how == "refused":
            raise KernelRefused("set ifalias of link enp1s0f0v0", 16)

    before = one_vf.settled()
    attach(one_vf)
    link_of(one_vf).traits["ifalias"] = "was here"
    monkeypatch.setattr(FakeNetlink, "set_traits", not_so)

    assert one_vf.call("DEL", one_vf.conf()).code == 0

    assert (one_vf.settled(), rebinds(one_vf)) == (before, 1)


@pytest.mark.parametrize("key", ["attr 99", "ifalias"])
def test_what_a_new_netdev_has_otherwise_is_golden_from_then_on(
    one_vf: World, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Else every DEL would make it anew for ever. It is logged, with both."""
    fresh = dict(link_of(one_vf).traits)
    link_of(one_vf).traits[key] = "of the first one"
    attach(one_vf)
    link_of(one_vf).traits |= {key: "of the container"} | BY_DRIVER
    monkeypatch.setattr(fakes.card, "fresh_traits", lambda: fresh | {key: "of the new one"})
    if key == "ifalias":
        monkeypatch.setattr(FakeNetlink, "set_traits", lambda *_: None)

    assert one_vf.call("DEL", one_vf.conf()).code == 0

    assert link_of(one_vf).traits[key] == golden_of(one_vf)["traits"][key] == "of the new one"
    assert f'{key} \\"of the new one\\", not \\"of the first one\\"' in one_vf.log_file.read_text()
    assert [one_vf.call(verb, one_vf.conf()).code for verb in ("ADD", "DEL")] == [0, 0]
    assert rebinds(one_vf) == 1


def test_what_a_new_netdev_has_not_is_golden_no_longer(one_vf: World) -> None:
    """The operator's, of before the first ADD: the new netdev has lost it, and once is enough."""
    link_of(one_vf).traits["attr 99"] = "07"
    attach(one_vf)
    link_of(one_vf).traits["rings"] = "rx 80 tx 80"
    assert one_vf.call("DEL", one_vf.conf()).code == 0
    assert "attr 99" not in golden_of(one_vf)["traits"]

    assert [one_vf.call(verb, one_vf.conf()).code for verb in ("ADD", "CHECK", "DEL")] == [0, 0, 0]

    assert rebinds(one_vf) == 1


def test_only_a_first_add_says_what_is_golden(one_vf: World) -> None:
    """Before it changes anything; what is there later, by whomever, is put right before the VF is used, and logged."""
    one_vf.kernel.before("set_vf_vlan", lambda *_: seen.append(golden_of(one_vf)))
    seen: list[dict[str, Any]] = []
    was = {"own_mac": link_of(one_vf).mac, "mtu": 1500, "vlan": 0, "trust": False, "mac": ""}
    attach(one_vf, vlan=100, mtu=1400, mac="02:00:00:00:aa:01")
    assert {key: seen[0]["state"][key] for key in was} == was
    assert one_vf.call("DEL", one_vf.conf()).code == 0
    before = one_vf.settled()
    vf_of(one_vf).state.trust, link_of(one_vf).mtu = True, 1300
    link_of(one_vf).traits |= BY_MESSAGE | BY_DRIVER

    attach(one_vf)

    told = one_vf.log_file.read_text()
    for words in ("trust on, not off", "mtu 1300", 'rings \\"rx 80 tx 80\\", not', 'group \\"77\\", not'):
        assert words in told
    assert (one_vf.call("CHECK", one_vf.conf()).code, rebinds(one_vf)) == (0, 1)
    assert one_vf.call("DEL", one_vf.conf()).code == 0
    assert (one_vf.settled(), golden_of(one_vf)) == (before, seen[0])


def test_up_name_and_altnames_are_the_operators(one_vf: World) -> None:
    attach(one_vf)
    assert one_vf.call("DEL", one_vf.conf()).code == 0
    netlink = one_vf.kernel.netlink
    ifindex = netlink.ifindex("enp1s0f0v0")
    netlink.set_name(ifindex, "tenant0")
    netlink.add_altname(ifindex, "sriov0")
    netlink.set_up(ifindex)
    before = one_vf.settled()

    attach(one_vf)

    assert "golden" not in one_vf.log_file.read_text()
    assert (one_vf.call("DEL", one_vf.conf()).code, one_vf.settled()) == (0, before)


def test_another_vf_at_that_address_is_not_meant(one_vf: World) -> None:
    attach(one_vf)
    assert one_vf.call("DEL", one_vf.conf()).code == 0
    pf = one_vf.kernel.pfs[0]
    one_vf.kernel.change_numvfs(pf, 0)
    one_vf.kernel.change_numvfs(pf, 1)
    vf_of(one_vf).state.trust = True

    attach(one_vf)

    assert (vf_of(one_vf).state.trust, golden_of(one_vf)["state"]["trust"]) == (True, True)


def test_what_was_not_told_at_first_is_completed(one_vf: World) -> None:
    """Of a PF that was not there, and by a version that asked less."""
    attach(one_vf)
    assert one_vf.call("DEL", one_vf.conf()).code == 0
    whole = golden_of(one_vf)
    less = json.loads(json.dumps(whole))
    less["state"] |= {"vlan": None, "trust": None, "mac": None}
    del less["traits"]["rings"]
    assert len(less["traits"]) > 5
    (one_vf.run_dir / "golden" / VF).write_text(json.dumps(less))

    attach(one_vf, vlan=100)

    assert golden_of(one_vf) == whole


def test_a_pf_that_comes_back_is_asked_again(one_vf: World) -> None:
    attach(one_vf, vlan=100)
    hide_pf(one_vf)
    assert one_vf.call("DEL", one_vf.conf()).code == 0
    show_pf(one_vf)
    attach(one_vf)
    assert vf_of(one_vf).state.vlan == 0


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": 2}', '{"format": 1}', '{"format": 1, "inode": 1, "state": {}, "traits": {}}', "dir"],
)  # fmt: skip
def test_a_vf_whose_file_cannot_be_read_is_nobodys(tmp_path: Path, text: str) -> None:
    """It says why, and the next one is taken; what has it already is given back as its Record says."""
    world = a_world(tmp_path, vfs=2)
    attach(world, vlan=100)
    file = world.run_dir / "golden" / VF
    file.unlink()
    if text == "dir":
        file.mkdir()
    else:
        file.write_text(text)
    assert (world.call("DEL", world.conf()).code, vf_of(world).state.vlan) == (0, 0)

    added = world.call("ADD", world.conf(), "c2", OTHERS)
    refused = world.call("ADD", world.conf(master=None, deviceID=VF))

    assert added.document["interfaces"][0]["name"] == "net1"
    assert world.pod_link(OTHERS).pci_address != VF
    assert (refused.code, str(file) in refused.text) == (11, True), refused.text


def test_what_a_later_version_added_to_the_state_fails_no_add(one_vf: World) -> None:
    """A Record's baseline is made of it, without what is not ours to know."""
    conf = one_vf.conf(ipam=None)
    assert [one_vf.call(verb, conf).code for verb in ("ADD", "DEL")] == [0, 0]
    later = golden_of(one_vf) | {"minor": 99}
    later["state"]["of_tomorrow"] = 1
    (one_vf.run_dir / "golden" / VF).write_text(json.dumps(later))

    replies = [one_vf.call(verb, conf) for verb in ("ADD", "DEL")]

    assert [(reply.code, reply.text) for reply in replies if reply.code] == []
    assert golden_of(one_vf)["state"]["of_tomorrow"] == 1


def test_a_later_minor_version_keeps_what_it_added(one_vf: World) -> None:
    attach(one_vf)
    assert one_vf.call("DEL", one_vf.conf()).code == 0
    later = golden_of(one_vf) | {"minor": 99, "of_tomorrow": 1}
    later["state"]["trust"] = None
    (one_vf.run_dir / "golden" / VF).write_text(json.dumps(later))

    attach(one_vf)

    told = golden_of(one_vf)
    assert (told["minor"], told["of_tomorrow"], told["state"]["trust"]) == (99, 1, False)


def test_a_file_that_cannot_be_read_just_now_is_waited_for(
    one_vf: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of descriptors: DEL must not leave the dirt, nor CHECK be content."""
    attach(one_vf)
    link_of(one_vf).traits["ifalias"] = "was here"
    read = files.read

    def fail(path: str) -> str | None:
        if "/golden/" in path:
            raise InputOutput(f"read {path}: Too many open files")
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "read", fail)
        codes = [one_vf.call(verb, one_vf.conf()).code for verb in ("CHECK", "DEL")]
        assert codes == [5, 5]
    assert (one_vf.call("DEL", one_vf.conf()).code, link_of(one_vf).traits["ifalias"]) == (0, "")


@pytest.mark.parametrize("key", [*BY_MESSAGE, "rings", "coalesce"])
def test_check_names_each_kind_of_dirt(one_vf: World, conf: dict[str, Any], key: str) -> None:
    assert one_vf.call("ADD", conf).code == 0
    assert one_vf.call("CHECK", conf).code == 0
    was, now = link_of(one_vf).traits[key], (BY_MESSAGE | BY_DRIVER)[key]
    link_of(one_vf).traits[key] = now

    drifted = one_vf.call("CHECK", conf)

    assert (drifted.code, f'net1 has {key} "{now}", not "{was}"' in drifted.text) == (107, True)


def test_a_look_that_fails_is_no_proof_of_being_clean(one_vf: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 13: neither ADD nor DEL goes on as if there were no traits."""
    attach(one_vf)
    link_of(one_vf).traits["rings"] = "rx 80 tx 80"

    def fail(*_: object) -> None:
        raise KernelRefused("look up rings of link enp1s0f0v0", 12)

    with monkeypatch.context() as patch:
        patch.setattr(FakeNetlink, "traits", fail)
        assert one_vf.call("DEL", one_vf.conf()).code == 11
        assert one_vf.call("CHECK", one_vf.conf()).code != 0
    assert (one_vf.call("DEL", one_vf.conf()).code, link_of(one_vf).traits["rings"]) == (0, "rx 256 tx 256")
    with monkeypatch.context() as patch:
        patch.setattr(FakeNetlink, "traits", fail)
        assert one_vf.call("ADD", one_vf.conf()).code == 5
    assert one_vf.files() == []


@pytest.mark.parametrize("how", ["by driver", "refused", "otherwise"])
def test_nobody_waits_for_what_no_time_brings(
    one_vf: World, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A DEL polls up to `verifyTimeout` for drivers that apply later, not for rings."""
    attach(one_vf)
    if how == "refused":
        link_of(one_vf).traits["ifalias"] = "was here"
        monkeypatch.setattr(FakeNetlink, "set_traits", refuse)
    else:
        link_of(one_vf).traits["rings"] = "rx 80 tx 80"
    if how == "otherwise":
        fresh = dict(link_of(one_vf).traits) | {"rings": "rx 512 tx 512"}
        monkeypatch.setattr(fakes.card, "fresh_traits", lambda: fresh)
    waited: list[list[str]] = []

    def poll(missing: Any, _: float) -> Any:
        waited.append(missing())
        return waited[-1]

    monkeypatch.setattr(restore, "poll", poll)

    assert one_vf.call("DEL", one_vf.conf()).code == 0

    assert (rebinds(one_vf), [texts for texts in waited if texts]) == (1, [])


def refuse(*_: object) -> None:
    raise KernelRefused("set ifalias of link enp1s0f0v0", 16)


def test_a_look_that_fails_when_it_is_read_back_is_no_proof_either(
    one_vf: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENODEV while its driver resets it, as iavf does after each change by the PF."""
    attach(one_vf, mtu=1400)
    link_of(one_vf).traits["ifalias"] = "was here"
    traits, asked = FakeNetlink.traits, []

    def resetting(netlink: FakeNetlink, link: Any, known: Any = None) -> Any:
        asked.append(link.ifname)
        if len(asked) > 1:
            raise KernelRefused(f"look up rings of link {link.ifname}", 19)
        return traits(netlink, link, known)

    monkeypatch.setattr(FakeNetlink, "traits", resetting)
    monkeypatch.setattr(FakeNetlink, "set_traits", lambda *_: None)

    refused = one_vf.call("DEL", one_vf.conf())

    assert (refused.code, "look up rings" in refused.text) == (11, True), refused.text


def test_a_pf_that_is_down_is_up_before_its_vf_is_put_right(one_vf: World) -> None:
    """igb refuses rates while it is down (kernels.md 6.4)."""
    attach(one_vf)
    assert one_vf.call("DEL", one_vf.conf()).code == 0
    vf_of(one_vf).state.max_tx_rate = 100
    one_vf.kernel.pfs[0].link.is_up = False

    attach(one_vf)

    assert vf_of(one_vf).state.max_tx_rate == 0
