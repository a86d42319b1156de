"""Files with a Record in them, and the claims of this node: which VF is taken, and by whom, as far as the file says.

The file's name alone keeps a VF taken. What needs the content gets Unreadable where that is none of a Record, and those
who look at all of them go on with the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..words.domain import Attachment
from ..words.errors import BadJson, InputOutput, Unreadable
from ..words.log import Log
from ..words.pci import parse_pci_address
from ..words.plane import VPP_HOST
from ..words.record import Record
from ..words.stored import parsed, rendered
from . import files


class Claims:
    """What one call knows of them."""

    __slots__ = ("_known", "boot_id", "complained", "log", "run_dir")

    def __init__(self, run_dir: str, boot_id: str, log: Log) -> None:
        self.run_dir = run_dir
        self.boot_id = boot_id
        self.log = log
        # path of a claim -> a text, of it or of its Record, and whose that is
        self._known: dict[str, tuple[str, Attachment]] = {}
        self.complained: set[str] = set()

    def claimed(self) -> dict[str, str]:
        """VF address -> PF address of every claim on a VF, by file name alone."""
        pairs = (name.split("+", 1) for name in files.names(f"{self.run_dir}/claims") if "@" not in name)
        return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}

    def claim(self, record: Record) -> None:
        """Take the VF: the caller holds the node lock and has seen that no claim is there."""
        self._write(record, self.claim_path(record))

    def claim_of(self, pf: str, vf: str) -> Record | None:
        """The claim on that VF; Unreadable if it is there and does not say whose it is."""
        found = self.parse_claim(f"{self.run_dir}/claims/{pf}+{vf}")
        if isinstance(found, Unreadable):
            raise found
        return found

    def claim_again(self, claim: Record) -> Record | None:
        """What is there now; errors as of `claim_of`."""
        found = self.parse_claim(self.claim_path(claim))
        if isinstance(found, Unreadable):
            raise found
        return found

    def claim_on(self, vf: str) -> Record | None:
        """The claim on that VF, whatever its PF; errors as of `claim_of`."""
        pf = self.claimed().get(vf)
        return None if pf is None else self.claim_of(pf, vf)

    def claims(self) -> list[Record]:
        """All that can be read; the others are told in the log, once, and `claimed` has their names."""
        found = list(self.each_claim())
        for error in found:
            if isinstance(error, Unreadable):
                self.complain(error)
        return [record for record in found if isinstance(record, Record)]

    def unreadable_claims(self) -> list[Unreadable]:
        return [error for error in self.each_claim() if isinstance(error, Unreadable)]

    def each_claim(self) -> Iterator[Record | Unreadable]:
        for name in files.names(f"{self.run_dir}/claims"):
            found = self.parse_claim(f"{self.run_dir}/claims/{name}") if "+" in name else None
            if found is not None:
                yield found

    def parse_claim(self, path: str) -> Record | Unreadable | None:
        found = self.parse(path)
        if isinstance(found, Record) and self.claim_path(found) != path:
            return misplaced(path, found)
        return found

    def is_unclear(self) -> bool:
        """Whether there is a claim that does not tell whose it is."""
        return any(attachment_in(error) is None for error in self.unreadable_claims())

    def refuse_unclear(self, attachment: Attachment) -> None:
        """Unreadable if there is such a claim: it may be this attachment's."""
        for error in self.unreadable_claims():
            if attachment_in(error) is None:
                self.log.error("it may be this attachment's", file=error.path, attachment=attachment)
                raise error

    def claim_path(self, record: Record) -> str:
        """An attachment without a VF (vf/vpphost.py) has its copy of the Record there as well, under its own name."""
        return f"{self.run_dir}/claims/{record.pf}+{record.vf or record.attachment.filename}"

    def _write(self, record: Record, *paths: str) -> None:
        raw = record.to_json()
        text = rendered(f"the Record of {record.attachment}", raw, is_foreign="conf" in record.ipam)
        for path in paths:
            files.replace(path, text)
        self._known[self.claim_path(record)] = text, record.attachment

    def parse(self, path: str) -> Record | Unreadable | None:
        """The Record, None if there is no file, or what is wrong with it."""
        text, found = read_record(path)
        if isinstance(found, Record):
            self._known[self.claim_path(found)] = text, found.attachment
        return found

    def complain(self, error: Unreadable) -> None:
        if error.path not in self.complained:
            self.complained.add(error.path)
            self.log.error(
                "state file cannot be read", file=error.path, reason=error.why, remedy=error.details
            )


# one file ---------------------------------------------------------------------------------------------------------------


def is_record(name: str) -> bool:
    """By Attachment.filename. sriov-cni keeps its files in the same default directory; they are not ours to judge."""
    return "@" in name


def read_record(path: str) -> tuple[str, Record | Unreadable | None]:
    """(its text, the Record), or why it is none; ("", None) if there is no file."""
    try:
        text = files.read(path)
        return ("", None) if text is None else (text, parsed(path, text, _judged))
    except Unreadable as error:
        return "", error
    except files.NoFile as error:
        return "", Unreadable.of(path, error.msg.removeprefix(f"read {path}: "))
    except InputOutput as error:  # out of descriptors, a bad disk: not the file's fault
        return "", Unreadable.failed(path, error.msg.removeprefix(f"read {path}: "))


def misplaced(path: str, record: Record) -> Unreadable:
    """A good file under another one's name: somebody copied it."""
    return Unreadable.of(path, f"it is of {record.attachment} on VF {record.vf}", record.to_json())


def is_torn(error: Unreadable) -> bool:
    """Empty, or no JSON: half of a file, or what was never one of ours."""
    return not error.raw and isinstance(error.__cause__, BadJson)


def attachment_in(error: Unreadable) -> Attachment | None:
    """Whose the file is, as far as it tells."""
    who = error.raw.get("attachment")
    try:
        return Attachment.from_json(who) if isinstance(who, dict) else None
    except (ValueError, KeyError):
        return None


def vf_in(error: Unreadable) -> tuple[str, str] | None:
    """PF and VF that it is about, as far as it tells; fit for a path."""
    pf, vf = error.raw.get("pf"), error.raw.get("vf")
    try:
        _check_addresses(pf, vf)
    except (ValueError, TypeError, AttributeError):
        return None
    return str(pf), str(vf)


def text_in(error: Unreadable, key: str) -> str:
    value = error.raw.get(key)
    return value if isinstance(value, str) else ""


def _judged(raw: dict[str, Any]) -> Record:
    record = Record.from_json(raw)
    if record.vf or record.pf or record.plane is None or record.plane.kind != VPP_HOST:
        _check_addresses(record.pf, record.vf)
    return record


def _check_addresses(pf: Any, vf: Any) -> None:
    """They become parts of paths: ValueError if they are none. `pf` "" = it is not visible (vf/lone.py)."""
    parse_pci_address(vf)
    if pf != "":
        parse_pci_address(pf)
