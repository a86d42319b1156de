"""containerd as Debian packages it, with the bundle as installed and the project's own samples: ctr, and pods by the CRI.

The kubelet's part is played by inside/cri.py, with the calls it makes. `make lab-containerd` has the same for the newest one.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

import pytest

from tests.pages import ROOT, blocks, command_blocks, fits, script, wrong

from . import containers
from .containerd import CONF, Containerd, beginning, printed, with_container
from .node import Node
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

PAGE = "docs/containerd.md"
CHECKOUT = "/root"
VFS = {f"{PORTS[0]}v{index}" for index in range(7)}
TRACE = "/tmp/trace"
TRACED = f"strace -f --seccomp-bpf -e trace=execve -v -s 4096 -o {TRACE}"


@pytest.fixture
def containerd(runtimes_node: Node) -> Containerd:
    return set_up(runtimes_node)


def set_up(node: Node) -> Containerd:
    containerd = Containerd(node)
    if not containerd.is_running:
        containerd.set_up()
    return containerd


def in_the_host(containerd: Containerd) -> set[str]:
    """The port's VFs that no pod has, by `ip`."""
    return VFS & {link["ifname"] for link in containerd.node.links().values()}


def quoted(tag: str) -> str:
    """What the page says that its reader will read."""
    (text,) = [block.text for block in blocks(PAGE) if block.tag == tag]
    return text


def test_the_page_does_what_it_says(containerd: Containerd) -> None:
    for path in CONF.iterdir():
        containerd.vm.put(f"{CHECKOUT}/{path.relative_to(ROOT)}", path.read_bytes())
    run_blocks(containerd, "runs: lab containerd")
    run_blocks(containerd, f"runs: lab containerd {containerd.major}")
    assert (CONF / "config.toml").read_text() == quoted("of the file")


def run_blocks(containerd: Containerd, tag: str) -> None:
    for block in command_blocks(tag)[PAGE]:
        done = containerd.vm.run(["sh", "-c", script(block)], cwd=CHECKOUT, check=False, timeout=120)
        assert "\n".join(wrong(block, done.stdout)) == "", done.stderr


def test_pods_have_a_vf_and_reach_each_other(containerd: Containerd) -> None:
    (web,) = containerd.cri([with_container("web", "cat", "/sys/class/net/eth0/address")])
    address = web[-1]["status"]["network"]["ip"]
    (db,) = containerd.cri([with_container("db", "ping", "-c", "3", "-W", "2", address)])

    assert containerd.node.vf(PORTS[0], 0)["address"] == printed(web[3]).strip()
    assert "3 packets received" in printed(db[3])
    assert ip_address(address) in ip_network("10.10.0.0/16")
    assert in_the_host(containerd) == VFS - {f"{PORTS[0]}v0", f"{PORTS[0]}v1"}
    told = containerd.vm.run("sriovctl explain default/web").stdout
    assert web[0]["pod_sandbox_id"] in told, "K8S_POD_NAMESPACE and K8S_POD_NAME"

    ended = containerd.remove(("web", "db"))

    assert ended == [[{}, {}], [{}, {}]]
    assert in_the_host(containerd) == VFS


def test_the_eighth_pod_a_restart_and_what_is_called_at_the_end(containerd: Containerd) -> None:
    seven = [f"pod{number}" for number in range(7)]
    begun = containerd.cri([beginning(name) for name in seven], at_once=4)
    assert [list(answers[-1]) for answers in begun] == [["pod_sandbox_id"]] * 7
    assert in_the_host(containerd) == set()

    # nobody gets an eighth, and each is told so
    ((refused,),) = containerd.cri([beginning("eighth")])
    assert fits(quoted("what the kubelet is told"), refused["details"]), refused
    said = containerd.ctr(f"run --rm --cni {containers.BUSYBOX} late true", check=False)
    assert said.returncode == 1
    assert fits(quoted("what ctr says"), said.stderr), said.stderr
    is_left = "late" in containerd.ctr("container list --quiet").stdout.split()
    assert is_left == (containerd.major == 1)
    if is_left:
        run_blocks(containerd, "runs: lab containerd 1 full")

    # one pod's process dies; containerd ends and comes back; the others go on, and keep what they have
    pids = containerd.vm.run("pgrep -f '^/bin/busybox sleep 1000000'").stdout.split()
    assert len(pids) == 7
    containerd.vm.run(f"kill -9 {pids[-1]}")
    containerd.stop()
    containerd.start(TRACED)
    states = {name: state for name, (_, state) in containerd.pods().items()}
    (dead,) = [name for name in seven if states[name] == "SANDBOX_NOTREADY"]
    assert sorted(states) == seven
    assert set(states.values()) == {"SANDBOX_READY", "SANDBOX_NOTREADY"}
    assert in_the_host(containerd) == set(), "its netns is held by a mount"

    # the kubelet ends the dead one, and the eighth, which it has tried again, gets that VF
    assert containerd.remove([dead]) == [[{}, {}]]
    ((eighth,),) = containerd.cri([beginning("eighth")])
    assert "pod_sandbox_id" in eighth, eighth

    ended = containerd.remove([*(set(seven) - {dead}), "eighth"], at_once=4)

    assert ended == [[{}, {}]] * 7
    assert in_the_host(containerd) == VFS
    calls = calls_about(eighth["pod_sandbox_id"], containerd.vm.get(TRACE).decode(errors="replace"))
    verbs, without_netns = [verb for verb, _ in calls], [netns == "" for _, netns in calls]
    assert verbs in (["ADD", "DEL", "DEL"], ["ADD", "DEL", "DEL", "DEL"])
    assert without_netns == [False, False, True, True][: len(verbs)]
    containerd.stop()
    containerd.vm.run("pkill -x strace; true")
    containerd.start()


def calls_about(pod: str, trace: str) -> list[tuple[str, str]]:
    """What containerd called the plugin with, as the kernel was asked to execute it: verb and netns."""
    lines = [line for line in trace.splitlines() if 'execve("/usr/lib/cni/sriov"' in line and pod in line]
    return [
        (re.findall(r'"CNI_COMMAND=(\w+)"', line)[0], re.findall(r'"CNI_NETNS=([^"]*)"', line)[0])
        for line in lines
    ]
