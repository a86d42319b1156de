"""The machine as QEMU's command line: pure, so that the snapshot's name can be a hash of it.

Two igb functions on one slot are an I350-T2: 01:00.0 and 01:00.1, 7 VFs each, both on one wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .plan import Image

CPUS = 2
MAC = "52:54:00:5e:00:0{port}"  # locally administered
# la57 costs TCG a fifth level at every page walk; nothing in the guest needs it. TCG carries out `rep movsb` byte by byte, and
# a kernel that is told of fast ones copies and clears pages by them: a start of sriovctl cost 3.5 s of CPU, now 1.9
TCG_CPU = "max,la57=off,erms=off,fsrm=off,fzrm=off,fsrs=off,fsrc=off"
CMDLINE = (
    "console=ttyS0 quiet loglevel=5 panic=-1 intel_iommu=on iommu=pt mitigations=off "
    "random.trust_cpu=on no_timer_check tsc=reliable rcupdate.rcu_expedited=1 cryptomgr.notests "
    "init_on_alloc=0"  # Debian clears each page twice, which is a fifth of an exec here
)


@dataclass(frozen=True)
class Wiring:
    """What differs from one start to the next: inherited sockets (QMP, agent, shell), and this VM's own files."""

    fds: tuple[int, int, int]
    disk: Path
    console: Path
    share: Path


def argv(qemu: str, image: Image, accelerator: str, wiring: Wiring) -> list[str]:
    """The command line that boots `image`."""
    return [
        qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-name", "cni-sriov-lab", *_board(accelerator, image.memory_mib),
        "-kernel", str(image.vmlinux), "-initrd", str(image.initramfs), "-append", CMDLINE,
        *_disks(image, wiring), *_control(wiring), *_card(),
    ]  # fmt: skip


def incoming(snapshot: Path) -> list[str]:
    """What turns a boot into a restore."""
    return ["-incoming", f"file:{snapshot}"]


def _board(accelerator: str, memory_mib: int) -> list[str]:
    # interrupt remapping needs the split irqchip under KVM; TCG has no other
    machine = "q35,accel=kvm,kernel-irqchip=split" if accelerator == "kvm" else "q35,accel=tcg"
    return [
        "-machine", machine, "-cpu", "host" if accelerator == "kvm" else TCG_CPU,
        "-smp", str(CPUS), "-m", str(memory_mib),
        "-device", "intel-iommu,intremap=on,caching-mode=on",
        "-device", "virtio-rng-pci",
    ]  # fmt: skip


def _disks(image: Image, wiring: Wiring) -> list[str]:
    return [
        "-drive", f"if=none,id=root,format=raw,readonly=on,file={image.root}",
        "-device", "virtio-blk-pci,drive=root",
        "-drive", f"if=none,id=state,format=raw,discard=unmap,file={wiring.disk}",
        "-device", "virtio-blk-pci,drive=state",
        "-virtfs", f"local,path={wiring.share},security_model=none,readonly=on,mount_tag=host",
    ]  # fmt: skip


def _control(wiring: Wiring) -> list[str]:
    qmp, agent, shell = wiring.fds
    return [
        "-chardev", f"socket,id=qmp,fd={qmp}", "-mon", "chardev=qmp,mode=control",
        "-chardev", f"file,id=console,path={wiring.console},append=on", "-serial", "chardev:console",
        "-device", "virtio-serial-pci",
        "-chardev", f"socket,id=shell,fd={shell}", "-device", "virtconsole,chardev=shell",
        "-chardev", f"socket,id=agent,fd={agent}",
        "-device", "virtserialport,chardev=agent,name=cni-sriov.lab",
    ]  # fmt: skip


def _card() -> list[str]:
    words = ["-device", "pcie-root-port,id=card,bus=pcie.0,chassis=1"]
    for port in (0, 1):
        words += ["-netdev", f"hubport,id=wire{port},hubid=0"]
        # the first function says which is next (ARI), or the guest never looks for the second
        more = ",multifunction=on,x-pcie-ari-nextfn-1=on" if port == 0 else ""
        mac = MAC.format(port=port)
        words += ["-device", f"igb,bus=card,addr=0.{port},netdev=wire{port},mac={mac},romfile={more}"]
    return words
