"""The rules about who calls the plugin: each with the nearest case that is none."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from cni_sriov.decide import doctor, rules_runtime
from cni_sriov.decide.facts import Facts
from cni_sriov.decide.facts_runtime import Network, Program, Runtime, Runtimes, Unserved
from cni_sriov.decide.trouble import Trouble

NET_D, BIN, BUNDLE = "/etc/cni/net.d", "/opt/cni/bin", "/opt/cni/bin/.cni-sriov/current/sriov"
OURS = Network(f"{NET_D}/10-sriov.conflist", "fast", ["sriov"], True)
OTHER = Network(f"{NET_D}/05-bridge.conflist", "bridge", ["bridge"])
PROGRAMS = {"sriov": Program(f"{BIN}/sriov", "ours"), "host-subnet": Program(f"{BIN}/host-subnet")}


def containerd(*networks: Network, programs: dict[str, Program] | None = None, **keys: object) -> Runtime:
    runtime = Runtime(
        "containerd",
        "/etc/containerd/config.toml",
        NET_D,
        [BIN],
        stops=True,
        networks=list(networks),
        programs=PROGRAMS if programs is None else programs,
        has_dir={BIN: True},
    )
    for key, value in keys.items():
        setattr(runtime, key, value)
    return runtime


def told(*found: Runtime, bundle: str = BUNDLE) -> list[Trouble]:
    return doctor.diagnose(Facts(runtimes=Runtimes([*found], bundle=bundle)), rules_runtime.RULES)


def test_a_node_that_is_as_it_should_be() -> None:
    assert told() == []
    assert told(containerd()) == []
    assert told(containerd(OURS)) == []
    assert told(containerd(OTHER)) == []


# the plugin's executable ---------------------------------------------------------------------------------------------


def test_a_runtime_that_does_not_find_the_plugin() -> None:
    (found,) = told(containerd(OURS, programs={}))

    assert (found.rule, found.severity, found.subject) == ("plugin-not-found", "error", "containerd")
    assert found.why == (
        f"containerd looks for CNI plugins in {BIN}, where no sriov is, and {OURS.path} asks for it"
    )
    assert found.remedy.splitlines()[:2] == [
        f"ln -s {BUNDLE} {BIN}/sriov",
        f"ln -s {BUNDLE} {BIN}/host-subnet",
    ]


def test_a_directory_that_is_not_there_is_made_and_one_that_is_comes_first() -> None:
    (first,) = told(containerd(OURS, programs={}, has_dir={BIN: False}))
    (second,) = told(
        containerd(OURS, programs={}, bin_dirs=["/a", "/b"], has_dir={"/a": False, "/b": True}), bundle=""
    )

    assert first.remedy.splitlines()[0] == f"mkdir -p {BIN}"
    assert second.remedy.splitlines()[1] == "make install CNIBINDIR=/b"


def test_where_nobody_asks_for_it_that_is_a_note() -> None:
    (found,) = told(containerd(OTHER, programs={}))

    assert (found.rule, found.severity) == ("plugin-not-found", "note")


def test_what_could_not_be_looked_at_is_not_missed() -> None:
    assert told(containerd(replace(OURS, types=["sriov", "tuning"]), programs={}, is_seen=False)) == []


def test_another_plugin_of_that_name() -> None:
    another = {"sriov": Program(f"{BIN}/sriov", "another's")}

    (found,) = told(containerd(OURS, programs=another))
    (note,) = told(containerd(OTHER, programs=another))

    assert (found.rule, found.severity, note.severity) == ("another-sriov", "error", "note")
    assert found.remedy.splitlines()[1:] == [
        f"mv {BIN}/sriov {BIN}/sriov.orig",
        f"ln -s {BUNDLE} {BIN}/sriov",
    ]
    assert told(containerd(OURS, programs={"sriov": Program(f"{BIN}/sriov")})) == []


def test_another_plugin_of_the_list_that_is_not_there() -> None:
    chained = replace(OURS, types=["sriov", "tuning"])

    (found,) = told(containerd(chained))

    assert (found.rule, found.severity) == ("plugin-missing", "error")
    assert f"names the plugin tuning, which is not in {BIN}" in found.why
    assert told(containerd(chained, programs=PROGRAMS | {"tuning": Program(f"{BIN}/tuning")})) == []
    assert told(containerd(replace(OTHER, types=["bridge", "none-such"]))) == []


def test_host_subnet_is_ours_to_link() -> None:
    under = Network(f"{NET_D}/50-bridge.conflist", "b", ["bridge", "host-subnet"], True)
    programs = {"sriov": PROGRAMS["sriov"], "bridge": Program(f"{BIN}/bridge")}

    (found,) = told(containerd(under, programs=programs))

    assert found.remedy == f"ln -s {BUNDLE} {BIN}/host-subnet"


# network files -------------------------------------------------------------------------------------------------------


def test_one_of_ours_that_is_broken() -> None:
    (found,) = told(containerd(replace(OURS, errors=["plugins[0].vlan: must be an integer", "x"])))

    assert (found.rule, found.severity, found.subject) == ("conflist-broken", "error", OURS.path)
    assert "plugins[0].vlan: must be an integer (and 1 more)" in found.why
    assert "containerd has no network at all" in found.why
    assert found.remedy.splitlines()[0] == f"sriovctl validate {OURS.path}"
    assert found.remedy.splitlines()[-1] == f"mv {OURS.path} {OURS.path}.off"


def test_one_of_others_matters_where_it_sorts_first_and_stops_the_runtime() -> None:
    broken = replace(OTHER, errors=["no JSON"])

    (first,) = told(containerd(broken, OURS))
    (crio,) = told(containerd(broken, OURS, name="CRI-O", stops=False))
    behind = told(containerd(OURS, replace(broken, path=f"{NET_D}/99.conflist")))

    assert (first.rule, first.severity) == ("conflist-broken", "error")
    assert (crio.severity, [one.severity for one in behind]) == ("warning", ["warning"])


def test_a_file_that_two_runtimes_load_is_told_once() -> None:
    broken = replace(OURS, errors=["no JSON"])

    (found,) = told(containerd(broken), containerd(replace(broken), name="k3s"))

    assert "containerd and k3s have no network at all" in found.why


def test_one_of_ours_behind_another() -> None:
    (found,) = told(containerd(OTHER, OURS))

    assert (found.rule, found.severity, found.subject) == ("conflist-shadowed", "warning", OURS.path)
    assert f"{OTHER.path} (network bridge)" in found.why
    assert found.remedy.splitlines()[1] == f"mv {OURS.path} {NET_D}/00-10-sriov.conflist"
    assert found.evidence[0].said == "05-bridge.conflist, 10-sriov.conflist"


@pytest.mark.parametrize(
    ("winner", "command"),
    [
        ("00-a", f"mv {OURS.path} {NET_D}/00-10-sriov.conflist"),
        ("00-0", f"mv {OURS.path} {NET_D}/0-10-sriov.conflist"),
        ("0", f"mv {OURS.path} {NET_D}/!10-sriov.conflist"),
        ("!!", f"mv {NET_D}/!! {NET_D}/!!.off"),
    ],
)
def test_the_name_that_is_named_sorts_first(winner: str, command: str) -> None:
    (found,) = told(containerd(replace(OTHER, path=f"{NET_D}/{winner}"), OURS))

    assert shlex.split(found.remedy.splitlines()[1]) == command.split()
    new = command.rpartition("/")[2]
    assert new < winner or new == f"{winner}.off"


def test_what_is_taken_is_not_shadowed() -> None:
    multus = Network(f"{NET_D}/00-multus.conf", "multus", ["multus"])

    assert told(containerd(OTHER, OURS, takes=0)) == []
    assert told(containerd(OTHER, OURS, takes=2)) == []
    assert told(containerd(OURS, OTHER)) == []
    assert told(containerd(multus, OURS)) == []
    assert told(containerd(OTHER, OURS, name="CRI-O", stops=False, chosen="fast")) == []


def test_what_the_configuration_names_shadows_all_others() -> None:
    (found,) = told(containerd(OURS, OTHER, name="CRI-O", stops=False, chosen="bridge"))

    assert found.rule == "conflist-shadowed"
    assert "its configuration names that network" in found.why
    assert 'cni_default_network = "fast"' in found.remedy


def test_a_second_one_of_ours_is_a_note_unless_podman_takes_it() -> None:
    second = Network(f"{NET_D}/20-sriov.conflist", "slow", ["sriov"], True)
    podman = containerd(OURS, second, name="podman", takes=0, stops=False)

    (found,) = told(containerd(OURS, second))

    assert (found.rule, found.severity, found.subject) == ("conflist-shadowed", "note", second.path)
    assert told(containerd(OURS, second), podman) == []


def test_two_networks_of_one_name() -> None:
    second = replace(OURS, path=f"{NET_D}/20-sriov.conflist")

    (found,) = told(containerd(OURS, second, takes=0))

    assert (found.rule, found.severity, found.subject) == ("same-network-name", "warning", second.path)
    odd = replace(second, path=f"{NET_D}/it's.conflist")
    (found,) = told(containerd(OURS, odd, takes=0))
    assert shlex.split(found.remedy.splitlines()[1]) == ["mv", odd.path, f"{odd.path}.off"]
    twins = [replace(OTHER, path=f"{NET_D}/{name}") for name in "ab"]
    assert told(containerd(*twins)) == []
    assert told(containerd(replace(OURS, name=""), replace(second, name=""), takes=0)) == []


@pytest.mark.parametrize(
    ("lack", "rule", "severity"),
    [
        ("pf", "network-without-pf", "error"),
        ("vfs", "network-without-vfs", "error"),
        ("full", "no-free-vf", "note"),
    ],
)
def test_a_network_that_could_serve_nobody(lack: str, rule: str, severity: str) -> None:
    unserved = Unserved(lack, "so it is", "sriovctl vfs enp1s0f0 7")  # type: ignore[arg-type]

    (found,) = told(containerd(replace(OURS, unserved=unserved)))

    assert (found.rule, found.severity, found.subject) == (rule, severity, OURS.path)
    assert "so it is" in found.why
    if lack == "vfs":
        assert found.remedy == "sriovctl vfs enp1s0f0 7"
