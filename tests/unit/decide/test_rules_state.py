"""The rules about what is attached and leased: each with the nearest case that is none."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from cni_sriov.decide import doctor, rules_state
from cni_sriov.decide.facts import Facts
from cni_sriov.decide.facts_state import Away, DeadLease, Drifted, GoneDir, Held, Nic, State, Unread
from cni_sriov.decide.trouble import Trouble

PF, OTHER_PF = "0000:01:00.0", "0000:01:00.1"
VF, MAC = "0000:01:10.0", "02:11:22:33:44:55"
CLAIM = f"/run/cni-sriov/claims/{PF}+{VF}"
HELD = Held("c1/net1", VF, "enp1s0f0 vf 0", "/run/netns/c1", "done", CLAIM)


def nic(index: int, mac: str = MAC, owner: str = "", pf: str = PF, netdev: str = "", admin: str = "") -> Nic:
    name = "enp1s0f0" if pf == PF else "enp1s0f1"
    pci = pf if index < 0 else f"{pf[:-4]}1{index}.0"
    return Nic(pci, pf, name, index, netdev or ("" if owner else f"{name}v{index}"), mac, owner, admin)


def told(**parts: object) -> list[Trouble]:
    state = State()
    for name, value in parts.items():
        setattr(state, name, value)
    return doctor.diagnose(Facts(state=state), rules_state.RULES)


def test_a_node_without_anything_has_no_trouble() -> None:
    assert told() == []
    assert told(held=[HELD], nics=[nic(0), nic(1, "02:00:00:00:00:09")]) == []


# MACs ----------------------------------------------------------------------------------------------------------------


def test_two_vfs_of_a_pf_with_one_mac() -> None:
    (found,) = told(nics=[nic(0, owner="c1"), nic(1)])

    assert (found.rule, found.severity, found.subject) == ("same-mac", "error", MAC)
    assert "enp1s0f0 vf 0 (c1) and enp1s0f0 vf 1" in found.why
    assert found.remedy.splitlines() == [
        "ip link set enp1s0f0 vf 1 mac 00:00:00:00:00:00",
        "ip link set enp1s0f0v1 address 02:00:00:00:00:01",
    ]
    assert [(one.source, one.said) for one in found.evidence] == [
        ("ip link show enp1s0f0", f"vf 0 link/ether {MAC}"),
        ("ip link show enp1s0f0v1", f"link/ether {MAC}"),
    ]


def test_an_admin_mac_counts_and_so_does_the_pf() -> None:
    by_admin = told(nics=[nic(0), nic(1, "02:00:00:00:00:09", admin=MAC)])
    pf = told(nics=[nic(-1, netdev="enp1s0f0"), nic(1)])

    assert [one.rule for one in by_admin + pf] == ["same-mac", "same-mac"]
    assert by_admin[0].evidence[1].said == f"vf 1 link/ether {MAC}"
    assert "enp1s0f0 and enp1s0f0 vf 1" in pf[0].why


def test_the_new_mac_is_nobodys() -> None:
    (found,) = told(nics=[nic(0, owner="c1"), nic(1), nic(2, "02:00:00:00:00:01")])

    assert found.remedy.endswith("enp1s0f0v1 address 02:00:00:00:00:02")


def test_of_two_free_ones_one_keeps_it() -> None:
    (found,) = told(nics=[nic(0), nic(1)])

    assert "v0" not in found.remedy
    assert "enp1s0f0v1 address" in found.remedy


def test_where_containers_have_them_all_nothing_is_set() -> None:
    (found,) = told(nics=[nic(0, owner="c1"), nic(1, owner="c2")])

    assert found.remedy.startswith("# give one of these containers another `mac`")


@pytest.mark.parametrize("mac", ["", "00:00:00:00:00:00"])
def test_no_mac_is_not_one(mac: str) -> None:
    assert told(nics=[nic(0, mac), nic(1, mac)]) == []


def test_a_bond_in_a_container_has_one_mac_on_two_ports() -> None:
    ports = [nic(0, owner="c1"), nic(1, owner="c1", pf=OTHER_PF)]

    assert told(nics=ports) == []
    (two,) = told(nics=[ports[0], replace(ports[1], owner="c2")])
    (one_card,) = told(nics=[ports[0], nic(1, owner="c1")])
    assert (two.severity, one_card.severity) == ("warning", "error")


def test_a_bond_of_the_host_has_one_mac_on_two_ports() -> None:
    ports = [nic(-1, netdev="enp1s0f0"), nic(-1, pf=OTHER_PF, netdev="enp1s0f1")]

    assert [one.severity for one in told(nics=ports)] == ["warning"]
    assert told(nics=[replace(port, upper="bond0") for port in ports]) == []
    assert len(told(nics=[replace(ports[0], upper="bond0"), ports[1]])) == 1
    vf = nic(1)
    (one_card,) = told(nics=[replace(ports[0], upper="bond0"), replace(vf, upper="bond0")])
    assert one_card.severity == "error"


# attachments ---------------------------------------------------------------------------------------------------------


def test_a_record_without_its_vf() -> None:
    (found,) = told(held=[replace(HELD, is_vf_gone=True, dead="the VF is gone")])

    assert (found.rule, found.severity, found.subject) == ("record-without-vf", "error", VF)
    assert (found.remedy.splitlines()[0], found.evidence[0].source) == ("sriovctl gc", CLAIM)


def test_one_that_is_dead_with_its_vf_there() -> None:
    (found,) = told(held=[replace(HELD, dead="the VF is back in the host")])

    assert (found.rule, found.severity, found.remedy) == ("dead-attachment", "note", "sriovctl gc")
    assert "the VF is back in the host" in found.why


def test_a_vf_that_a_program_does_not_let_go_of_names_it() -> None:
    held = replace(HELD, status="released", open_in=["dpdk-testpmd (pid 77)"])

    (found,) = told(held=[held])

    assert found.why.endswith("is not restored yet: it is open in dpdk-testpmd (pid 77)")
    assert found.remedy == "# end dpdk-testpmd (pid 77)\nsriovctl gc"


def test_a_tap_is_known_by_its_owner() -> None:
    held = replace(HELD, vf="", where="a tap of VPP at /run/vpp/api.sock", status="released")

    (found,) = told(held=[held])

    assert (found.subject, found.rule) == ("c1/net1", "not-restored")
    assert found.why.startswith("a tap of VPP at /run/vpp/api.sock of c1/net1 was given up")


def test_one_that_a_del_gave_up() -> None:
    (found,) = told(held=[replace(HELD, status="released", dead="its DEL gave it up")])

    assert (found.rule, found.severity) == ("not-restored", "warning")
    assert found.remedy.startswith("sriovctl gc\n")


@pytest.mark.parametrize(
    ("mount", "command"),
    [
        ("/run/netns/c1", "ip netns del c1"),
        ("/var/run/netns/cni-1", "ip netns del cni-1"),
        ("/run/docker/netns/7", "umount /run/docker/netns/7 && rm -f /run/docker/netns/7"),
    ],
)
def test_a_netns_that_a_mount_alone_keeps(mount: str, command: str) -> None:
    (found,) = told(held=[replace(HELD, mounts=[mount])])

    assert (found.rule, found.severity) == ("netns-without-process", "note")
    assert found.remedy.splitlines()[1:] == [command, "sriovctl gc"]


def test_no_program_of_a_containers_own_is_started_to_unmount() -> None:
    """`nsenter --mount umount` is the `umount` of that mount namespace: as root, outside of the container."""
    (found,) = told(held=[replace(HELD, mounts=["/proc/7/root/run/netns/c1\nreboot"])])

    commands = [line for line in found.remedy.splitlines() if not line.startswith("#")]
    assert commands == ["sriovctl gc"]
    assert "process 7" in found.remedy
    assert "/run/netns/c1" in found.remedy


def test_what_is_dead_or_being_made_has_no_process_either() -> None:
    mounts = ["/run/netns/c1"]
    dead = told(held=[replace(HELD, mounts=mounts, dead="the VF is back in the host")])

    assert [one.rule for one in dead] == ["dead-attachment"]
    assert told(held=[replace(HELD, mounts=mounts, status="in-progress")]) == []


def test_a_vf_that_nobody_put_where_it_is() -> None:
    away = Away(VF, "enp1s0f0 vf 0", "/run/netns/x", "eth5", ["sleep (pid 12)"])

    (found,) = told(away=[away])
    (lost,) = told(away=[Away(VF, "enp1s0f0 vf 0")])

    assert (found.rule, found.severity, found.subject) == ("vf-of-nobody", "warning", VF)
    assert "as eth5 in the network namespace /run/netns/x, with sleep (pid 12)" in found.why
    assert found.remedy.splitlines()[1:] == [
        "nsenter --net=/run/netns/x ip link set dev eth5 down",
        "nsenter --net=/run/netns/x ip link set dev eth5 netns 1",
    ]
    assert ("something has it open" in lost.why, lost.remedy[0]) == (True, "#")


# leases and files ----------------------------------------------------------------------------------------------------


def test_a_lease_whose_owner_is_dead() -> None:
    (found,) = told(leases=[DeadLease("10.10.0.0/24", "c1/net1", "no process is in its netns")])

    assert (found.rule, found.severity, found.remedy) == (
        "lease-without-attachment",
        "warning",
        "sriovctl gc",
    )
    assert "10.10.0.0/24 is leased to c1/net1" in found.why


def test_a_subnet_that_is_used_and_not_reserved() -> None:
    lost = replace(HELD, unleased=["10.10.0.0/24"])

    (found,) = told(held=[lost])

    assert (found.rule, found.severity, found.subject) == ("lease-lost", "error", "c1/net1")
    assert [one.rule for one in told(held=[replace(lost, dead="it is of an earlier boot")])] == [
        "dead-attachment"
    ]


def test_a_state_file_that_cannot_be_read() -> None:
    one = Unread(CLAIM, "it is no JSON", VF, "use the version that wrote it", f"sriovctl gc --forget {CLAIM}")

    (found,) = told(unread=[one])
    (passing,) = told(unread=[replace(one, command="", vf="")])

    assert (found.rule, found.severity, found.subject) == ("unreadable-state", "error", CLAIM)
    assert f"keeps VF {VF} taken" in found.why
    assert found.remedy.splitlines() == [
        "# use the version that wrote it; or:",
        f"sriovctl gc --forget {CLAIM}",
    ]
    assert ("forget" in passing.remedy, "keeps" in passing.why) == (False, False)


def test_a_directory_that_is_gone() -> None:
    leases = GoneDir("/srv/leases", "/run/cni-sriov/subnets/dirs", "leases", ["c1/net1"])
    records = GoneDir("/srv/state", "/run/cni-sriov/dirs/%2Fsrv%2Fstate", "Records", ["c1/net1"])

    first, second = told(gone=[leases, records])

    assert (first.rule, first.severity, second.severity) == ("directory-gone", "error", "note")
    assert first.remedy.splitlines()[0] == "mkdir -p -m 700 /srv/leases"
    assert second.remedy == "mkdir -p -m 700 /srv/state"


def test_a_free_vf_that_somebody_changed() -> None:
    (found,) = told(drifted=[Drifted(VF, "enp1s0f0 vf 0", ["mtu 1400, not 1500"])])

    assert (found.rule, found.severity) == ("vf-changed", "note")
    assert (found.remedy.splitlines()[1], found.evidence[0].said) == (
        f"sriovctl baseline --take {VF}",
        "mtu 1400, not 1500",
    )


def test_every_trouble_has_the_name_of_its_rule() -> None:
    """So that a script may name what `--list` lists."""
    everything = told(
        nics=[nic(0), nic(1)],
        held=[
            replace(HELD, is_vf_gone=True),
            replace(HELD, dead="its ADD died"),
            replace(HELD, status="released"),
            replace(HELD, mounts=["/run/netns/c1"], unleased=["10.10.0.0/24"]),
        ],
        leases=[DeadLease("10.10.0.0/24", "c1/net1", "it is over")],
        away=[Away(VF, "enp1s0f0 vf 0")],
        unread=[Unread(CLAIM, "it is no JSON", VF, "")],
        gone=[GoneDir("/srv", "/run/x", "leases")],
        drifted=[Drifted(VF, "enp1s0f0 vf 0", ["mtu"])],
    )

    assert {one.rule for one in everything} == {doctor.describe(rule).name for rule in rules_state.RULES}
    for rule in rules_state.RULES:
        about = doctor.describe(rule)
        severities = {one.severity for one in everything if one.rule == about.name}
        assert severities <= set(about.severities.split(", ")), about.name
        assert about.remedy, about.name


def test_what_a_container_names_cannot_become_a_command() -> None:
    """A pod may call its netdev, and a mount be called, whatever the kernel takes."""
    away = Away(VF, "enp1s0f0 vf 0", "/run/netns/a;b $(c)", "e;reboot")
    (found,) = told(away=[away])
    (mount,) = told(held=[replace(HELD, mounts=["/run/netns/x;y\nz"])])

    for line in found.remedy.splitlines()[1:]:
        assert shlex.split(line)[1:7] == [
            *("--net=/run/netns/a;b $(c)", "ip", "link", "set", "dev", "e;reboot")
        ]
    (
        _,
        unmount,
        _,
    ) = mount.remedy.splitlines()
    assert unmount == "ip netns del \"$(printf 'x\\073y\\012z')\""
