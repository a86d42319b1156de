"""Kernel modules: whether one is there, and what modprobe is told about them. Looks only."""

from __future__ import annotations

from ..words.modules import ModuleOption, ModuleState
from .files import Files

RELEASE = "/proc/sys/kernel/osrelease"
# modprobe.d(5): of files with one name, the one of the first directory counts
DIRECTORIES = (
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
)
# where the drivers for user space are built, in and out of the kernel's tree
_PLACES = (
    "kernel/drivers/vfio/pci",
    "kernel/drivers/vfio",
    "kernel/drivers/uio",
    "updates",
    "updates/dkms",
    "extra",
    "extra/dpdk",
    "weak-updates",
    "misc",
)


def state(files: Files, name: str) -> ModuleState:
    """Of a driver for user space (vfio-pci, uio_pci_generic, igb_uio), by its file."""
    known = name.replace("-", "_")
    if files.has(f"/sys/module/{known}"):
        return "loaded"
    tree = f"/lib/modules/{files.text(RELEASE) or ''}"
    built_in = (files.text(f"{tree}/modules.builtin") or "").splitlines()
    if known in map(_module_of, built_in):
        return "loaded"
    there = (file for place in _PLACES for file in files.names(f"{tree}/{place}"))
    return "loadable" if known in map(_module_of, there) else "missing"


def _module_of(file: str) -> str:
    """kernel/drivers/vfio/pci/vfio-pci.ko.xz is vfio_pci; "" for what is none."""
    name, dot, _ = file.rpartition("/")[2].partition(".ko")
    return name.replace("-", "_") if dot else ""


def options(files: Files) -> list[ModuleOption]:
    """What modprobe.d says, in its order, and what the kernel's command line says of modules."""
    return [*_of_command_line(files.text("/proc/cmdline") or ""), *_of_files(files)]


def _of_command_line(text: str) -> list[ModuleOption]:
    found = []
    for word in text.split():
        left, _, value = word.partition("=")
        module, dot, name = left.partition(".")
        if left in {"modprobe.blacklist", "module_blacklist"}:
            found += [ModuleOption("/proc/cmdline", word, one, "blacklist") for one in value.split(",")]
        elif dot:
            found.append(ModuleOption("/proc/cmdline", word, module.replace("-", "_"), name, value))
    return found


def _of_files(files: Files) -> list[ModuleOption]:
    first: dict[str, str] = {}
    for directory in DIRECTORIES:
        for name in files.names(directory):
            if name.endswith(".conf"):
                first.setdefault(name, f"{directory}/{name}")
    return [option for name in sorted(first) for option in _of_file(first[name], files)]


def _of_file(path: str, files: Files) -> list[ModuleOption]:
    found = []
    for line in (files.text(path) or "").replace("\\\n", " ").splitlines():
        command, *words = line.split() or [""]
        if command == "blacklist" and words:
            found.append(ModuleOption(path, line.strip(), words[0].replace("-", "_"), "blacklist"))
        elif command == "options" and words:
            module, *settings = words
            for setting in settings:
                name, _, value = setting.partition("=")
                found.append(
                    ModuleOption(path, line.strip(), module.replace("-", "_"), name, value.strip("\"'"))
                )
    return found
