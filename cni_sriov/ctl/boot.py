"""`sriovctl vfs PF N --persist`: that number for the next boot, too.

It becomes an entry of the host's file, and the unit that applies that file is written, if the machine has none, and
enabled. All is judged before the VFs are changed, and written after it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from ..conf import hostfile
from ..conf.hostfile import PATH, Count, HostFile, PfEntry
from ..decide import provision
from ..kernel.files import Files
from ..vf.host import Host
from ..words.domain import PF
from ..words.errors import BadConfig, BadEnvironment, CniError, InputOutput
from ..words.jsontext import parse_object, words
from ..words.pci import parse_pci_address
from . import apply_look, hostjson, publish, schema, vfs

UNIT = "sriov-host.service"
_OWN = "/etc/systemd/system"
# systemd.unit(5), "Unit File Load Path"
_DIRECTORIES = (_OWN, "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
_SAMPLE, _SAMPLE_TOOL = f"{schema.CONF}/systemd/{UNIT}", "/usr/local/sbin/sriovctl"
UNSEEN = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/")  # noqa: S108 # by that sample
# src/core/load-fragment.c of systemd 252, config_parse_exec(): string_is_safe()
_BAD = re.compile(r"[\"'\\\0-\x1f\x7f]")
_FORMER = "sriov-numvfs@"  # the unit that knows one port and a number
_BY_HAND = f"have `sriovctl apply --wait 30` run at boot, before containers start; it does what {PATH} says"


@dataclass(slots=True)
class Kept:
    """`files`: what is to be written, with its text. `former`: units that would give the PF another number."""

    systemctl: str
    files: dict[str, str]
    unit: str
    former: list[str]

    def to_json(self) -> dict[str, Any]:
        return {"file": PATH, "unit": self.unit, "written": list(self.files), "disabled": self.former}


def run(host: Host, files: Files, where: str, wanted: Count, is_dry: bool = False) -> vfs.Provision:
    kept = plan(host, files, where, wanted)
    made = vfs.run(host, files, where, wanted, is_dry=is_dry)
    if not is_dry:
        try:
            kept = plan(host, files, where, wanted)  # VFs take their time, and others write into the file
            _keep(files, kept)
        except CniError as failed:
            failed.details = f"{failed.details}\nits VFs are there until the next boot".lstrip()
            raise
    made.boot = kept.to_json()
    return made


def plan(host: Host, files: Files, where: str, wanted: Count) -> Kept:
    """Looks only; CniError says why that cannot be kept."""
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        raise BadEnvironment(
            "keep it for the next boot: this machine has no systemctl, so no units of systemd", _BY_HAND
        )
    pf = vfs.find_pf(host, where)
    written = {}
    document = _document(host, files, pf, where, wanted)
    if document is not None:
        written[PATH] = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    unit = next((path for there in _DIRECTORIES if files.has(path := f"{there}/{UNIT}")), f"{_OWN}/{UNIT}")
    if files.target(unit) == os.devnull:
        raise BadEnvironment(f"keep it for the next boot: {UNIT} is masked", f"systemctl unmask {UNIT}")
    if not files.has(unit):
        written[unit] = _unit_text()
    return Kept(systemctl, written, unit, _former(files, pf))


# the host's file ------------------------------------------------------------------------------------------------------


def _document(host: Host, files: Files, pf: PF, where: str, wanted: Count) -> dict[str, Any] | None:
    """As it is to be, None if it says so already."""
    text = files.text(PATH)
    document = {"pfs": []} if text is None else parse_object(text)
    file = HostFile([]) if text is None else hostjson.read(files, PATH)
    chosen, _ = provision.select(file, apply_look.pfs(host), host.netlink.ifindex)
    entry = next((entry for entry, found in chosen if found.pci_address == pf.pci_address), None)
    if entry is None:
        document["pfs"].append(_entry(host, pf, where, wanted))
        return document
    if entry.numvfs == wanted:
        return None
    _refuse_shared(entry, pf, [found for one, found in chosen if one is entry], wanted)
    document["pfs"][file.pfs.index(entry)]["numvfs"] = wanted
    try:
        hostfile.parse(document)  # its ranges of VFs may need more of them
    except BadConfig as error:
        raise BadConfig(
            f"{_what(pf, wanted)}: {PATH}: {error.msg}", f"correct {entry.where} there first"
        ) from error
    return document


def _entry(host: Host, pf: PF, where: str, wanted: Count) -> dict[str, Any]:
    """The PF as it was named. One that is down is left as it is, as now."""
    try:
        selector = {"pciAddresses": [parse_pci_address(where)]}
    except ValueError:
        selector = {"names": [where]}
    link = host.netlink.link(pf.ifname) if pf.ifname else None
    left = {} if link is not None and link.is_up else {"up": False}
    return {"pf": selector, "numvfs": wanted} | left


def _refuse_shared(entry: PfEntry, pf: PF, meant: list[PF], wanted: Count) -> None:
    others = ", ".join(one.ifname or one.pci_address for one in meant if one.pci_address != pf.pci_address)
    if others:
        raise BadConfig(
            f"{_what(pf, wanted)}: {entry.where} of {PATH} is about {others}, too",
            f'say "numvfs": {words(wanted)} there, for all of them, or give each an entry of its own; then: sriovctl apply',
        )


def _what(pf: PF, wanted: Count) -> str:
    return f"keep {wanted} VFs of {pf.ifname or pf.pci_address} for the next boot"


# the unit -------------------------------------------------------------------------------------------------------------


def _unit_text() -> str:
    """The sample, with the tool where it is."""
    try:
        with open(_SAMPLE, encoding="utf-8") as stream:
            return stream.read().replace(f"={_SAMPLE_TOOL} ", f"={_in_unit(_tool())} ")
    except OSError as error:
        raise InputOutput(
            f"read {_SAMPLE}: {error.strerror}", "it belongs to sriovctl: install it anew"
        ) from error


def _tool() -> str:
    """By its lasting name: the directory that it leads to goes with an upgrade."""
    named = sys.argv[0]
    is_path = os.path.basename(named) == "sriovctl" and "/" in named
    found = named if is_path else shutil.which("sriovctl")
    if found is None:
        raise BadEnvironment(
            "keep it for the next boot: sriovctl is not installed, so no unit can start it", "make install"
        )
    tool = os.path.abspath(found)
    why = "it is hidden from it (ProtectHome, PrivateTmp)" if tool.startswith(UNSEEN) else ""
    if _BAD.search(tool):
        why = "systemd takes no such name"
    if why:
        raise BadEnvironment(
            f"keep it for the next boot: a unit cannot start {words(tool)}: {why}", "make install"
        )
    return tool


def _in_unit(path: str) -> str:
    """systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers"."""
    path = path.replace("%", "%%")
    return f'"{path}"' if " " in path else path


def _former(files: Files, pf: PF) -> list[str]:
    """Enabled for that port: at boot the two would do each other's work over."""
    names = files.names(f"{_OWN}/multi-user.target.wants")
    instances = {pf.ifname, pf.ifname.replace("-", "\\x2d")} if pf.ifname else set()
    return [name for name in names if name in {f"{_FORMER}{instance}.service" for instance in instances}]


def _keep(files: Files, kept: Kept) -> None:
    for path, text in kept.files.items():
        try:
            os.makedirs(os.path.dirname(files.root + path), exist_ok=True)
            publish.put(os.path.realpath(files.root + path), text.encode(), 0o644, keeps_owner=True)
        except OSError as error:
            raise InputOutput(f"write {path}: {error.strerror}", "is its file system read-only?") from error
    for unit in kept.former:
        _systemctl(files, kept, "disable", unit)
    _systemctl(files, kept, "enable", UNIT)


def _systemctl(files: Files, kept: Kept, verb: str, unit: str) -> None:
    argv = [kept.systemctl, *([f"--root={files.root}"] if files.root else []), verb, unit]
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    done = subprocess.run(  # noqa: S603 # root's own
        argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InputOutput(
            f"{verb} {unit}: systemctl says {words(done.stderr.strip())}", f"systemctl {verb} {unit}"
        )
