"""The lab itself: the card looks as real ones do, guests are strangers to each other, nothing outlives a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from . import guest, machine
from .errors import CommandFailed, GuestStalled, LabError
from .guest import Running
from .ready import Lab
from .vm import PORTS, Vm

pytestmark = pytest.mark.lab
SYS = "/sys/class/net"


def make_vfs(lab: Vm, port: str, count: int) -> None:
    """Bring the port up (a VF of a port that is down works for nobody) and have `count` VFs on it."""
    lab.run(f"ip link set {port} up && echo {count} > {SYS}/{port}/device/sriov_numvfs && udevadm settle")


def link(lab: Vm, ifname: str) -> dict[str, object]:
    """One link as `ip` tells it."""
    found: dict[str, object] = lab.json(f"ip -j -d link show {ifname}")[0]
    return found


class TestCard:
    """What a plugin meets on the host."""

    def test_has_two_idle_ports(self, lab: Vm) -> None:
        for number, port in enumerate(PORTS):
            device = f"{SYS}/{port}/device"
            said = lab.run(
                f"cat {device}/sriov_totalvfs {device}/sriov_numvfs; basename $(readlink -f {device}/driver)"
            )
            assert said.stdout.split() == ["7", "0", "igb"]
            state = link(lab, port)
            assert state["parentdev"] == f"0000:01:00.{number}"
            assert state["operstate"] == "DOWN"

    def test_gets_vfs_with_addresses_and_names(self, lab: Vm) -> None:
        for number, port in enumerate(PORTS):
            make_vfs(lab, port, 7)
            expected = [vf_address(number, index) for index in range(7)]
            said = lab.run(f"cd {SYS}/{port}/device; for n in 0 1 2 3 4 5 6; do readlink virtfn$n; done")
            assert [Path(line).name for line in said.stdout.splitlines()] == expected
            links = lab.json("ip -j -d link")
            named = {entry["ifname"]: entry.get("parentdev") for entry in links}
            assert {
                f"{port}v{index}": address for index, address in enumerate(expected)
            }.items() <= named.items()

    def test_has_an_iommu_group_for_each_function(self, lab: Vm) -> None:
        make_vfs(lab, PORTS[0], 2)
        functions = ("01:00.0", "01:00.1", "01:10.0", "01:10.2")
        groups = [
            lab.run(f"readlink /sys/bus/pci/devices/0000:{name}/iommu_group").stdout for name in functions
        ]
        assert len(set(groups)) == len(functions)


def vf_address(port: int, index: int) -> str:
    """The 82576's rule: VFs begin 128 routing ids above their port, two apart."""
    routing_id = 0x100 + port + 0x80 + 2 * index
    return f"0000:{routing_id >> 8:02x}:{routing_id >> 3 & 0x1F:02x}.{routing_id & 7}"


def test_vlans_connect_and_separate(lab: Vm) -> None:
    """VFs of both ports are on one wire; a VLAN set on the port decides who hears whom."""
    for port in PORTS:
        make_vfs(lab, port, 2)
    pods = {"a": (0, 0, 100), "b": (1, 0, 100), "c": (0, 1, 200), "d": (1, 1, 0)}
    for number, (pod, (where, vf, vlan)) in enumerate(pods.items(), start=1):
        lab.run(
            f"ip link set {PORTS[where]} vf {vf} vlan {vlan}; ip netns add {pod};"
            f"ip link set {PORTS[where]}v{vf} netns {pod}; ip -n {pod} link set {PORTS[where]}v{vf} up;"
            f"ip -n {pod} addr add 10.1.1.{number}/24 dev {PORTS[where]}v{vf}"
        )
    reached = "ip netns exec a ping -q -c 2 -i 0.3 -w 5 10.1.1.2"
    assert " 0% packet loss" in lab.run(reached, timeout=30).stdout
    for stranger in ("10.1.1.3", "10.1.1.4"):
        lost = lab.run(f"ip netns exec a ping -q -c 2 -i 0.3 -w 2 {stranger}", check=False)
        assert "100% packet loss" in lost.stdout


class TestLife:
    """Restores, power cycles and ends."""

    def test_power_cycle_boots_for_real_and_keeps_the_state_disk(self, lab: Vm) -> None:
        boot_id = lab.get("/proc/sys/kernel/random/boot_id")
        lab.run("echo kept > /var/lib/cni/kept; echo lost > /run/lost; echo lost > /root/lost; sync")
        lab.power_cycle()
        assert lab.get("/proc/sys/kernel/random/boot_id") != boot_id
        assert lab.get("/var/lib/cni/kept") == b"kept\n"
        assert lab.run("ls /run/lost /root/lost", check=False).stdout == ""
        assert link(lab, PORTS[0])["operstate"] == "DOWN"

    def test_two_restores_are_strangers(self, lab: Vm, saved_lab: Lab) -> None:
        lab.run("echo mine > /var/lib/cni/mine; sync")
        with saved_lab.restore() as other:
            assert "mine" not in other.run("ls /var/lib/cni").stdout
            for vm in (lab, other):
                make_vfs(vm, PORTS[0], 1)
            assert link(lab, f"{PORTS[0]}v0")["address"] != link(other, f"{PORTS[0]}v0")["address"]

    def test_the_clock_is_right(self, lab: Vm) -> None:
        assert abs(float(lab.run("date +%s.%N").stdout) - time.time()) < 3

    def test_stop_leaves_nothing(self, saved_lab: Lab) -> None:
        with saved_lab.restore() as vm:
            pid, home = vm.pid, vm.home
            assert Path(f"/proc/{pid}").exists()
        assert not Path(f"/proc/{pid}").exists()
        assert not home.exists()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_qemu_dies_with_its_owner(self, number: signal.Signals, saved_lab: Lab) -> None:
        argv = [sys.executable, "-m", f"{__package__}", "run", "sleep 300"]
        here = Path(__file__).parents[len(str(__package__).split("."))]
        owner = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=here)
        qemu = wait_for_child(owner.pid)
        owner.send_signal(number)
        owner.wait(20)
        deadline = time.monotonic() + 5
        while Path(f"/proc/{qemu}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path(f"/proc/{qemu}").exists()


def wait_for_child(pid: int) -> int:
    """The QEMU that process `pid` started."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if b"qemu-system" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]:
                return int(child)
        time.sleep(0.05)
    raise AssertionError(f"process {pid} started no QEMU")


class TestTalk:
    """Commands and files."""

    def test_files_go_in_and_out_unchanged(self, lab_module: Vm) -> None:
        content = os.urandom(1 << 20)
        lab_module.put("/tmp/new/bytes", content, mode=0o750)
        assert lab_module.get("/tmp/new/bytes") == content
        assert lab_module.run("stat -c %a /tmp/new/bytes").stdout == "750\n"
        with pytest.raises(LabError, match="get /nowhere: FileNotFoundError"):
            lab_module.get("/nowhere")

    def test_commands_get_input_and_environment(self, lab_module: Vm) -> None:
        done = lab_module.run(
            ["sh", "-c", "cat; echo $WORD >&2; exit 3"], check=False, input="in", env={"WORD": "w"}
        )
        assert (done.returncode, done.stdout, done.stderr) == (3, "in", "w\n")
        with pytest.raises(CommandFailed, match="exit status 3"):
            lab_module.run("exit 3")
        assert lab_module.run(["/nowhere"], check=False).returncode == 127

    def test_commands_run_side_by_side(self, lab_module: Vm) -> None:
        waits = lab_module.spawn("until [ -e /tmp/go ]; do sleep 0.05; done; echo went")
        lab_module.run("touch /tmp/go")
        assert waits.wait().stdout == "went\n"

    def test_a_command_out_of_time_is_killed_with_its_children(self, lab_module: Vm) -> None:
        with pytest.raises(LabError, match="no end within 1 s"):
            lab_module.run("sleep 77 & sleep 77", timeout=1)
        assert lab_module.run("pgrep -x sleep", check=False).stdout == ""

    def test_a_daemon_does_not_hold_up_its_starter(self, lab_module: Vm) -> None:
        began = time.monotonic()
        lab_module.run("sleep 30 &")
        assert time.monotonic() - began < 10

    def test_has_the_tools(self, lab_module: Vm) -> None:
        lab_module.run(
            "command -v cnitool ip ethtool tcpdump lspci python3 nsenter && ls /usr/lib/cni/host-local"
        )
        assert "cnitool add" in lab_module.run("cnitool 2>&1", check=False).stdout


def test_a_guest_that_stands_still_is_told_from_one_that_has_work(
    saved_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest, "GRACE_S", 0.5)
    monkeypatch.setattr(guest, "AWAKE_S", 5)
    with saved_lab.restore() as vm:
        # as one that is not to be killed: the agent is not asked to
        slow = Running(vm, "sleep 5", vm.spawn("sleep 5")._future, 0, check=True)  # noqa: SLF001
        with pytest.raises(LabError, match=r"did not answer within .* but goes on") as at_work:
            slow.wait()
        assert not isinstance(at_work.value, GuestStalled)
        assert vm.run("echo on").stdout == "on\n"

        vm.pause()
        with pytest.raises(GuestStalled, match="CPU#1"):
            Running(vm, "true", vm.spawn("true")._future, 0, check=True).wait()  # noqa: SLF001
        with pytest.raises(GuestStalled, match="stands still"):
            vm.run("true")
    with saved_lab.restore() as vm:
        # its workers end when they were idle for some seconds, and a guest may have been saved before
        vm.run("while pgrep -P $(pgrep -o -x systemd-udevd); do sleep 0.1; done", timeout=30)
        vm.run("pkill -STOP -x systemd-udevd; touch /run/udev/queue")
        with pytest.raises(GuestStalled, match="udevd has something in its queue"):
            vm.run("sleep 9", timeout=1)


_FORGIVEN = """
import pytest
from tests.lab.errors import GuestStalled, LabError
pytestmark = pytest.mark.lab
runs = []

@pytest.fixture(scope="module")
def guest():
    runs.append("guest")

@pytest.mark.parametrize("number", range(7))
def test_stalled_at_first(guest, number):
    runs.append(number)
    if runs.count(number) == 1:
        raise GuestStalled(f"stalled {number}", "CPU#0 HLT=1")

def test_always_stalled(guest):
    raise GuestStalled("stalled for ever")

def test_another_error(guest):
    runs.append("another")
    raise LabError("something else")

def test_the_end(guest):
    assert (runs.count("another"), runs.count("guest")) == (1, 6)
"""


def test_a_test_whose_guest_was_stalled_runs_again_a_few_times_and_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(_FORGIVEN)
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.lab.again",
        "-c",
        os.devnull,
    ]
    done = subprocess.run(
        [*argv, "-o", "markers=lab: .", tmp_path],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert "4 failed, 6 passed" in done.stdout, done.stdout
    assert "5 run again: the emulator let the guest down" in done.stdout
    assert "CPU#0 HLT=1" in done.stdout
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert [line.split("::")[1].split(" ")[0] for line in failed] == [
        "test_stalled_at_first[5]",
        "test_stalled_at_first[6]",
        "test_always_stalled",
        "test_another_error",
    ]


def test_the_share_is_seen_and_read_only(saved_lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("hello")
    with saved_lab.restore(tmp_path) as vm:
        assert vm.get("/mnt/host/seen") == b"hello"
        assert vm.run("touch /mnt/host/new", check=False).returncode != 0


def test_a_guest_that_cannot_boot_is_an_error_with_its_console(
    saved_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "CMDLINE", "console=ttyS0 panic=-1 rdinit=/nowhere")
    with Vm(saved_lab.image, saved_lab.accelerator) as vm, pytest.raises(LabError, match="panic"):
        vm.boot(60)


def test_a_lab_that_cannot_be_made_is_an_error_of_each_test() -> None:
    here = Path(__file__)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{here}::TestCard"]
    nowhere = {**os.environ, "CNI_SRIOV_CACHE": "/dev/null/nowhere"}
    done = subprocess.run(argv, env=nowhere, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "3 errors in" in done.stdout
    assert "passed" not in done.stdout
