"""The doctor's rules about the machine below the cards: IOMMU, locks, modules, and what could not be looked at."""

from __future__ import annotations

from collections.abc import Iterator

from ..words.modules import MISSING, VFIO
from .facts import Facts, Rule
from .facts_machine import Machine
from .trouble import Evidence, Severity, Trouble, by_hand, quoted

_GROUPS = "/sys/kernel/iommu_groups"
_NOIOMMU = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
_OFF = {"intel_iommu=off", "amd_iommu=off", "iommu=off", "intel_iommu=igfx_off"}
_KINDS = {"DMAR": "GenuineIntel", "IVRS": "AuthenticAMD"}  # an emulated IOMMU may be the other maker's
_BOOT = "(GRUB_CMDLINE_LINUX in /etc/default/grub and update-grub, or grubby --update-kernel=ALL --args), and boot again"


def unseen(facts: Facts) -> Iterator[Trouble]:
    """Something could not be looked at, so that troubles there are not found.

    warning: run it as root, on the host
    """
    lines = list(facts.unseen)
    if not facts.is_root:
        lines.append(
            "only root sees which devices other users' processes have open, and all of the PCI config space"
        )
    if lines:
        yield Trouble(
            "unseen",
            "warning",
            "",
            "not all of the node could be looked at: what is wrong there is not told",
            "# as root, on the host, not in a container:\nsriovctl doctor",
            [Evidence("not seen", line) for line in lines],
        )


# IOMMU ---------------------------------------------------------------------------------------------------------------


def iommu_off(facts: Facts) -> Iterator[Trouble]:
    """The IOMMU is off: no VF can safely go to user space (vfio-pci) or to a virtual machine.

    warning, note: the option that this CPU wants, or the BIOS; warning if a device is meant for user space
    """
    machine = facts.machine
    if machine.has_iommu:
        return
    said = [word for word in machine.cmdline.split() if "iommu" in word]
    yield Trouble(
        "iommu-off",
        _if_wanted(facts),
        "",
        "the IOMMU is off: VFs on their kernel drivers work, vfio-pci and virtual machines get none",
        "\n".join(_iommu_remedy(machine)),
        [
            Evidence(_GROUPS, f"{machine.groups} groups" if machine.groups else "no group"),
            Evidence(
                "/sys/firmware/acpi/tables", ", ".join(machine.iommu_tables) or "no DMAR, IVRS, IORT or VIOT"
            ),
            Evidence("/proc/cpuinfo", machine.vendor or "no vendor_id"),
            Evidence("/proc/cmdline", " ".join(said) or "no word of an IOMMU"),
        ],
    )


def _iommu_remedy(machine: Machine) -> list[str]:
    off = sorted(_OFF & set(machine.cmdline.split()))
    lines = []
    if not machine.iommu_tables:
        if machine.is_guest:
            lines.append(
                "# this is a virtual machine: its hypervisor must give it an IOMMU (QEMU: -device intel-iommu)"
            )
        else:
            name = {"GenuineIntel": "VT-d", "AuthenticAMD": "AMD-Vi (IOMMU)"}.get(
                machine.vendor, "the IOMMU (SMMU)"
            )
            lines.append(f"# switch on {name} in the BIOS: the firmware tells of none")
    if off:
        lines.append(f"# take {' '.join(off)} off the kernel's command line {_BOOT}")
    kind = next((kind for table, kind in _KINDS.items() if table in machine.iommu_tables), machine.vendor)
    if kind == "GenuineIntel":
        lines.append(f"# put intel_iommu=on iommu=pt on the kernel's command line {_BOOT}")
    elif kind == "AuthenticAMD":
        lines.append(
            f"# AMD needs no option to have it on; for speed: iommu=pt on the kernel's command line {_BOOT}"
        )
    else:
        lines.append("# this CPU needs no option; iommu.passthrough=1 on the command line is for speed only")
    return lines


def _if_wanted(facts: Facts) -> Severity:
    return "warning" if facts.wants_userspace else "note"


def no_iommu_mode(facts: Facts) -> Iterator[Trouble]:
    """vfio is in no-IOMMU mode: whoever gets a device can write all of the memory.

    warning: switch it off, and the IOMMU on
    """
    if facts.machine.noiommu:
        set_by = [one for one in facts.machine.options if one.name == "enable_unsafe_noiommu_mode"]
        yield Trouble(
            "no-iommu-mode",
            "warning",
            "",
            "vfio gives devices to user space without an IOMMU: such a process or container can write all of the memory",
            "\n".join(
                [
                    f"echo N > {_NOIOMMU}",
                    *(by_hand(f"take it out of {one.source}: {one.line}") for one in set_by),
                    "# and switch the IOMMU on",
                ]
            ),
            [Evidence(_NOIOMMU, "Y"), *(Evidence(one.source, one.line) for one in set_by)],
        )


def iommu_group_shared(facts: Facts) -> Iterator[Trouble]:
    """A network device shares its IOMMU group with others: only all of them together can go to user space.

    warning, note: another slot, or ACS in the BIOS; warning if a member is meant for user space
    """
    for group in facts.machine.shared:
        wanted = [
            one.address
            for one in group.members
            if any(word in one.driver + one.override for word in ("vfio", "uio"))
        ]
        others = ", ".join(f"{one.address} ({one.driver or 'no driver'})" for one in group.members)
        yield Trouble(
            "iommu-group-shared",
            "warning" if wanted else "note",
            f"IOMMU group {group.number}",
            f"IOMMU group {group.number} has {len(group.members)} devices: {others}; vfio-pci gives one of them away only"
            " while none of the others is on a kernel driver",
            "# another slot, or ACS (Access Control Services) in the BIOS, gives each a group of its own;\n"
            "# or bind all of them to vfio-pci",
            [
                Evidence(
                    f"{_GROUPS}/{group.number}/devices",
                    one.address + (f" on {one.driver}" if one.driver else ""),
                )
                for one in group.members
            ],
        )


# locks and modules ---------------------------------------------------------------------------------------------------


def vfio_missing(facts: Facts) -> Iterator[Trouble]:
    """The kernel has no vfio-pci.

    warning, note: the package that has it; warning if a device is meant for user space
    """
    machine = facts.machine
    if machine.modules.get(VFIO) == MISSING:
        yield Trouble(
            "vfio-missing",
            _if_wanted(facts),
            "",
            f"kernel {machine.release} has no vfio-pci: no VF can go to DPDK, VPP or a virtual machine safely",
            f"# Ubuntu: apt install linux-modules-extra-{machine.release}\n"
            "# Debian: a kernel that is no linux-image-cloud; Fedora, RHEL: dnf install kernel-modules",
            [
                Evidence("/sys/module/vfio_pci", "not there"),
                Evidence(f"/lib/modules/{machine.release}", "no vfio-pci.ko"),
            ],
        )


def uio_forbidden(facts: Facts) -> Iterator[Trouble]:
    """Secure boot or the kernel's lockdown forbids UIO (uio_pci_generic, igb_uio).

    warning, note: vfio-pci; warning if a device is on UIO or meant for it
    """
    machine = facts.machine
    locked = machine.lockdown in {"integrity", "confidentiality"}
    if not (locked or machine.secure_boot):
        return
    devices = [one for card in facts.cards for one in (card.device, *(vf.device for vf in card.vfs))]
    on_uio = [one for one in devices if "uio" in one.driver + one.override]
    evidence = []
    if locked:
        evidence.append(Evidence("/sys/kernel/security/lockdown", machine.lockdown))
    if machine.secure_boot:
        evidence.append(Evidence("/sys/firmware/efi/efivars/SecureBoot-*", "on"))
    yield Trouble(
        "uio-forbidden",
        "warning" if on_uio else "note",
        "",
        "this machine does not let user space have devices by UIO: vfio-pci is the driver to use",
        "\n".join(
            [
                "# bind to vfio-pci what DPDK or VPP shall have",
                *(f"sriovctl bind {one.address} vfio-pci" for one in on_uio),
            ]
        ),
        evidence
        + [
            Evidence(f"/sys/bus/pci/devices/{one.address}/driver", one.driver or one.override)
            for one in on_uio
        ],
    )


def max_vfs(facts: Facts) -> Iterator[Trouble]:
    """max_vfs is set on the command line or in modprobe.d: it is deprecated, and acts before anything is ready.

    warning: take it out; `sriovctl vfs PF N`, or host.json for each boot
    """
    for option in facts.machine.options:
        if option.name != "max_vfs":
            continue
        if option.source == "/proc/cmdline":
            remedy = [by_hand(f"take {option.line} off the kernel's command line {_BOOT}")]
        else:
            remedy = [
                f"sed -i 's/[[:space:]]max_vfs=[^[:space:]]*//' {quoted(option.source)}",
                f"sed -i '/^[[:space:]]*options[[:space:]]*[^[:space:]]*[[:space:]]*$/d' {quoted(option.source)}",
                "# and out of the initramfs, where it has a copy: update-initramfs -u, or dracut -f",
            ]
        yield Trouble(
            "max-vfs",
            "warning",
            option.module,
            f"{option.module}.max_vfs is deprecated: the number of VFs is sysfs's, and this one is set when the module is"
            " loaded, for all its cards",
            "\n".join(
                [*remedy, "# VFs at each boot: /etc/cni-sriov/host.json; `sriovctl vfs` lists the PFs"]
            ),
            [Evidence(option.source, option.line)],
        )


RULES: tuple[Rule, ...] = (
    unseen,
    iommu_off,
    no_iommu_mode,
    iommu_group_shared,
    vfio_missing,
    uio_forbidden,
    max_vfs,
)
