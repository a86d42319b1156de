"""What modprobe.d and the kernel's command line say of modules. Looks only."""

from __future__ import annotations

from ..words.modules import ModuleOption, plain
from .files import Files

# modprobe.d(5): of files with one name, the one of the first directory counts
DIRECTORIES = (
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
)


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
            found.append(ModuleOption("/proc/cmdline", word, plain(module), name, value))
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
            found.append(ModuleOption(path, line.strip(), plain(words[0]), "blacklist"))
        elif command == "options" and words:
            module, *settings = words
            for setting in settings:
                name, _, value = setting.partition("=")
                found.append(ModuleOption(path, line.strip(), plain(module), name, value.strip("\"'")))
    return found
