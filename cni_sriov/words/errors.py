"""Every way a call can fail, with its CNI error code.

Codes below 100 are the CNI spec's ("Error" section), from 100 on
ours; they are a contract (docs/errors.md is checked against CODES).
"""

from __future__ import annotations

import os
from typing import Any, Self

CODES = {
    1: ("incompatible version", "the configuration's cniVersion is not supported"),
    2: ("unsupported field", "the call asks for what VFs of Ethernet cards do not have"),
    4: ("environment", "a CNI_* variable is missing or malformed"),
    5: ("input/output", "a file could not be read or written"),
    6: ("bad JSON", "standard input is not the JSON object it should be"),
    7: (
        "configuration",
        "a known key has a bad type or value, a request is outside its pool, or no VF can ever fit",
    ),
    8: ("bad netns", "CNI_NETNS is not a network namespace, or is the plugin's own"),
    11: ("try again", "no VF is free now, pool exhausted, or a lock or read-back passed its deadline"),
    50: ("not available", "STATUS: the plugin cannot serve an ADD now"),
    51: ("limited", "STATUS: nor an ADD, and running attachments suffer too"),
    100: ("driver refused", "the PF's driver refused a knob, or took it without effect"),
    101: ("PF unusable", "the PF is gone, has no VFs, is in switchdev mode, or cannot carry VFs now"),
    102: ("ifname exists", "the pod has an interface of that name already"),
    103: ("MAC in use", "a PF, VF, claim or host interface holds the requested MAC, and may be alive"),
    104: ("subnet conflict", "the requested subnet or address is taken, or overlaps host use"),
    105: ("not real root", "the plugin needs the capabilities of real root"),
    106: ("attached already", "this container and ifname hold a completed attachment"),
    107: ("drift", "CHECK found the attachment different from what ADD left"),
    999: ("internal", "a bug of cni-sriov: please report it"),
}


class CniError(Exception):
    """A failure with a CNI code; `msg` = verb object: reason, `details` = the remedy and what else is known."""

    code = 999

    def __init__(self, msg: str, details: str = "", code: int | None = None) -> None:
        super().__init__(msg)
        self.msg = msg
        self.details = details
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.msg} ({self.details})" if self.details else self.msg


class IncompatibleVersion(CniError):
    code = 1


class UnsupportedField(CniError):
    """`msg` has key and value (SPEC 1.1.0, "Error")."""

    code = 2


class BadEnvironment(CniError):
    code = 4


class InputOutput(CniError):
    code = 5


class BadJson(CniError):
    code = 6


class TooManyNames(BadJson):
    """Such a document can only be meant to cost time: see jsontext.NAMES."""

    code = 7


class BadConfig(CniError):
    code = 7


class BadNetns(CniError):
    code = 8


class TryAgain(CniError):
    code = 11


class NoFreeVf(TryAgain):
    """`seen`: (where, VF address, why not) of each VF that was looked at."""

    def __init__(self, msg: str, details: str = "", seen: list[tuple[str, str, str]] | None = None) -> None:
        super().__init__(msg, details)
        self.seen = seen or []


class PoolExhausted(TryAgain):
    """`pool`: its number in `ipam.pools`, -1 = the engine of a cluster said it."""

    def __init__(self, msg: str, details: str = "", pool: int = -1) -> None:
        super().__init__(msg, details)
        self.pool = pool


class Unreadable(TryAgain):
    """A state file that is there and cannot be read: what it says holds, whatever that is. Nobody takes it for absent.

    `path`, `why`; `by` = the version that wrote it, "" = it does not say; `raw` = its fields, as far as it is JSON.
    `passing`: it is not the file's fault, and it may be read later.
    """

    def __init__(self, msg: str, details: str = "") -> None:
        super().__init__(msg, details)
        self.path = self.why = self.by = ""
        self.passing = False
        self.raw: dict[str, Any] = {}

    @classmethod
    def of(cls, path: str, why: str, raw: dict[str, Any] | None = None) -> Self:
        by = (raw or {}).get("by")
        by = by if isinstance(by, str) and len(by) < 40 and by.isprintable() else ""
        wrote = f"cni-sriov {by} wrote it: use that" if by else "use the version that wrote it"
        remedy = f"{wrote}, or give it up: `sriovctl gc --forget {typed(path)}`"
        error = cls(f"read {path}: {why}", remedy)
        error.path, error.why, error.by, error.raw = path, why, by, raw or {}
        return error

    @classmethod
    def failed(cls, path: str, why: str) -> Self:
        """Out of descriptors, a bad disk."""
        error = cls(f"read {path}: {why}", "nothing was changed for it; it may be read later")
        error.path, error.why, error.passing = path, why, True
        return error


def typed(text: str) -> str:
    """As a shell takes it; shlex is not in the plugin."""
    if text.replace("/", "").translate(_PLAIN).isalnum() and text.isascii():
        return text
    return "'" + text.replace("'", "'\\''") + "'"


_PLAIN = str.maketrans("", "", "+,-.:=@_")


class NotAvailable(CniError):
    """STATUS: 50, or 51 where running attachments suffer too (SPEC 1.1.0, "STATUS")."""

    code = 50


class DriverRefused(CniError):
    code = 100


class PfUnusable(CniError):
    code = 101


class IfnameExists(CniError):
    code = 102


class MacInUse(CniError):
    """`vf`: PCI address of the VF that has it, "" if it is no VF; `claimed`: by somebody."""

    code = 103

    def __init__(self, msg: str, details: str = "", vf: str = "", claimed: bool = False) -> None:
        super().__init__(msg, details)
        self.vf = vf
        self.claimed = claimed


class SubnetConflict(CniError):
    """`wanted`: the subnet that was asked for, where other leases are in its way, else ""; `asked`: how it was."""

    code = 104

    def __init__(self, msg: str, details: str = "", wanted: str = "", asked: str = "") -> None:
        super().__init__(msg, details)
        self.wanted = wanted
        self.asked = asked


class OutsideBlocks(SubnetConflict):
    """What was asked for lies in a block of a shared pool that this node does not have. `pool`: its number in `ipam.pools`."""

    def __init__(self, msg: str, details: str = "", block: str = "", pool: int = -1) -> None:
        super().__init__(msg, details)
        self.block = block
        self.pool = pool


class VppAway(CniError):
    """VPP cannot be asked: it is down or hangs (11), or what listens there does not speak as we do (5)."""

    code = 11


class VppRefused(CniError):
    """VPP said no, by a `retval` of its API (api_errno.h)."""

    code = 5

    def __init__(self, msg: str, details: str = "", retval: int = 0) -> None:
        super().__init__(msg, details)
        self.retval = retval


class NotRealRoot(CniError):
    code = 105


class AttachedAlready(CniError):
    code = 106


class Drift(CniError):
    """Each difference is a part of `details`."""

    code = 107


class KernelRefused(Exception):
    """One netlink or sysfs request failed: faces raise it, acts give it a CNI code.

    `verb` says what was tried ("set vf 3 vlan of enp1s0f0"), `errno` is the kernel's number, `extack` its own
    sentence where it sent one (NETLINK_EXT_ACK).
    """

    def __init__(self, verb: str, errno: int, extack: str = "") -> None:
        super().__init__(verb, errno, extack)
        self.verb = verb
        self.errno = errno
        self.extack = extack

    def __str__(self) -> str:
        reason = os.strerror(self.errno)
        return f"{self.verb}: {reason}" + (f": {self.extack}" if self.extack else "")


class Unheard(KernelRefused):
    """The way to the kernel failed, not the kernel: what was asked may have been done, or not."""
