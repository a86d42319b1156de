"""What this node has attached: a claim per VF, a Record per attachment, a lock per attachment.

Claims are node-global, under /run/cni-sriov/claims, whatever stateDir a conf names: two networks can never claim one
VF. A claim's file name is "<PF>+<VF>", so listing the directory tells what is taken and on which PF without reading.
Its content is the Record, first without a baseline (chosen, nothing touched), then complete: a second copy that
survives a damaged stateDir. /run is a tmpfs: claims end with the boot, as the VFs' state does. The Record in stateDir
is the durable one; one file each, so one damaged file costs one attachment.
"""

from __future__ import annotations

import os

from ..words import jsontext
from ..words.domain import Attachment
from ..words.errors import BadJson, InputOutput
from ..words.log import Log
from ..words.pci import parse_pci_address
from ..words.record import Record
from . import deviceinfo, files, sriovcni

RUN_DIR = "/run/cni-sriov"


def read_boot_id() -> str:
    """Random per boot: Documentation/admin-guide/sysctl/kernel.rst, "random"."""
    fd = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 100).decode().strip()
    finally:
        os.close(fd)


class Ledger:
    """All methods that change an attachment's files expect the caller to hold its lock (`attachment_lock`)."""

    __slots__ = ("_elsewhere", "_known", "boot_id", "cache_dirs", "log", "run_dir", "state_dir")

    def __init__(self, state_dir: str, log: Log, run_dir: str = RUN_DIR, boot_id: str = "") -> None:
        self.state_dir = state_dir
        self.run_dir = run_dir
        self.log = log
        self.boot_id = boot_id or read_boot_id()
        self.cache_dirs = [state_dir]  # where sriov-cni's files may be: both have the same default
        # file name of a Record -> the stateDir it is in, where that is not ours
        self._elsewhere: dict[str, str] = {}
        # path of a claim -> a text, of it or of its Record, and whose that is
        self._known: dict[str, tuple[str, Attachment]] = {}

    def open(self) -> None:
        """Make the directories and register ours, so that `sriovctl` finds it. Needed before anything is written."""
        self.open_run_dir()
        files.ensure_directory(self.state_dir)
        link = f"{self.run_dir}/dirs/{files.as_name(self.state_dir)}"
        if os.path.lexists(link):
            return
        with self.node_lock("first use of a stateDir"):
            if not os.path.lexists(link):
                self._drop_earlier_boots()
                os.symlink(self.state_dir, link)  # atomic with its content; only ever read by readlink

    def open_for(self, attachment: Attachment) -> None:
        """As `open`. Where a conf was changed since ADD, to a stateDir that cannot be made, a claim is enough."""
        try:
            self.open()
        except InputOutput as error:
            if self.find(attachment) is None:
                raise
            self.log.warning("stateDir cannot be used", reason=error)

    def open_run_dir(self) -> None:
        """What locks need; all that host-subnet's door needs."""
        for name in ("", "/claims", "/locks", "/dirs"):
            files.ensure_directory(self.run_dir + name)

    def _drop_device_info(self, record: Record) -> None:
        try:
            deviceinfo.remove(record)
        except InputOutput as error:
            self.log.warning("device info file stays", file=record.device_info, reason=error)

    def _drop_earlier_boots(self) -> None:
        """First use of this stateDir in this boot: no VF state outlives a reboot, so older Records say nothing.

        What cannot be read is of an earlier boot too, torn by the power cut: nothing of this boot is here yet. Unless
        /run/cni-sriov was wiped under running pods: then their claims come back.
        """
        for name in filter(_is_record, os.listdir(self.state_dir)):
            path = f"{self.state_dir}/{name}"
            record = self._parse(path)
            if isinstance(record, Record) and record.boot_id == self.boot_id:
                if self.claim_of(record.pf, record.vf) is None:
                    self.claim(record)
                continue
            if isinstance(record, files.NoFile):
                self._set_aside(path, record)
                continue
            what = (
                f"{record.attachment} on VF {record.vf}"
                if isinstance(record, Record)
                else f"unreadable: {record}"
            )
            self.log.info("record of an earlier boot dropped", file=path, was=what)
            if isinstance(record, Record) and record.device_info:
                self._drop_device_info(record)
            files.remove(path)

    # locks ---------------------------------------------------------------------------------------

    def attachment_lock(self, attachment: Attachment, verb: str) -> files.Lock:
        """Held by every verb from before the record until exit: free and in-progress = its ADD is dead."""
        return files.Lock(f"{self.run_dir}/locks/{attachment.filename}", verb, inherited=True)

    def node_lock(self, verb: str) -> files.Lock:
        """Guards the choice of a VF: short, never held while a VF is changed."""
        return files.Lock(f"{self.run_dir}/claims.lock", verb)

    # claims --------------------------------------------------------------------------------------

    def claimed(self) -> dict[str, str]:
        """VF address -> PF address of every claim, by file name alone."""
        pairs = (name.split("+", 1) for name in files.names(f"{self.run_dir}/claims"))
        return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}

    def claim(self, record: Record) -> None:
        """Take the VF: the caller holds the node lock and has seen that no claim is there."""
        self._write(record, self._claim_path(record))

    def claim_of(self, pf: str, vf: str) -> Record | None:
        """The claim on that VF; a damaged one is set aside."""
        path = f"{self.run_dir}/claims/{pf}+{vf}"
        claim = self._read(path)
        if claim is not None and self._claim_path(claim) != path:
            self._set_aside(path, ValueError(f"it is of VF {claim.vf}"))
            return None
        return claim

    def claim_on(self, vf: str) -> Record | None:
        """The claim on that VF, whatever its PF."""
        pf = self.claimed().get(vf)
        return None if pf is None else self.claim_of(pf, vf)

    def claims(self) -> list[Record]:
        found = (self.claim_of(pf, vf) for vf, pf in self.claimed().items())
        return [record for record in found if record is not None]

    def owns(self, record: Record) -> bool:
        """Whether the VF is this attachment's: a Record may outlive its claim, and the VF have another owner by now.

        Its claim stands under our lock. Where it is lost, the VF is taken again, unless somebody was quicker.
        """
        has = self.claimant(record)
        if has is None:
            with self.node_lock("take the claim again"):
                has = self.claimant(record)
                if has is None:
                    self.claim(record)
                    return True
        return has == record.attachment

    def claimant(self, record: Record) -> Attachment | None:
        """Who has the Record's VF. Mostly it is whom this call has read or written the same text of: then that is all."""
        path = self._claim_path(record)
        text, attachment = self._known.get(path, ("", None))
        try:
            if text and files.read(path) == text:
                return attachment
        except files.NoFile:
            pass  # set aside by:
        claim = self.claim_of(record.pf, record.vf)
        return None if claim is None else claim.attachment

    def _claim_path(self, record: Record) -> str:
        return f"{self.run_dir}/claims/{record.pf}+{record.vf}"

    def pfs_of_container(self, attachment: Attachment) -> list[str]:
        """PF addresses of the container's other interfaces. Lock files tell their names, so no claim is read in vain."""
        names = files.names(f"{self.run_dir}/locks")
        others = [name for name in names if name.startswith(f"{attachment.container_id}@")]
        records = (self._read(f"{self.state_dir}/{name}") for name in others if name != attachment.filename)
        return [record.pf for record in records if record is not None]

    # records -------------------------------------------------------------------------------------

    def put(self, record: Record) -> None:
        """Write both copies, the durable one first."""
        self._write(record, self._record_path(record.attachment), self._claim_path(record))

    def _write(self, record: Record, *paths: str) -> None:
        text = jsontext.render(record.to_json())
        for path in paths:
            files.replace(path, text)
        self._known[self._claim_path(record)] = text, record.attachment

    def has_record(self, attachment: Attachment) -> bool:
        """Whether there is a file of it in this stateDir."""
        return os.path.lexists(f"{self.state_dir}/{attachment.filename}")

    def find(self, attachment: Attachment) -> Record | None:
        """The Record of an attachment; where its file is damaged or in another stateDir, the claim's copy."""
        record = self._read(self._record_path(attachment))
        if record is not None and record.attachment == attachment:
            return record
        claim = next((claim for claim in self.claims() if claim.attachment == attachment), None)
        if claim is not None:
            self._look_elsewhere(claim)
        return claim

    def _look_elsewhere(self, claim: Record) -> None:
        """The conf names another stateDir than at ADD, or is of another network: the Record's file is in one of those
        that are registered, and goes with the claim.
        """
        for name in files.names(f"{self.run_dir}/dirs"):
            directory = os.readlink(f"{self.run_dir}/dirs/{name}")
            found = self._parse(f"{directory}/{claim.attachment.filename}")
            if isinstance(found, Record) and (found.attachment, found.vf) == (claim.attachment, claim.vf):
                self._elsewhere[claim.attachment.filename] = directory

    def forget(self, record: Record) -> None:
        """Drop the claim and the Record, the Record last: while it stands, a DEL can finish what is left."""
        if self.claimant(record) == record.attachment:
            files.forget(self._claim_path(record))
        files.forget(self._record_path(record.attachment))
        if record.adopted:
            sriovcni.forget(record)

    def records(self) -> list[Record]:
        """All Records of this stateDir that can be read."""
        names = filter(_is_record, files.names(self.state_dir))
        found = (self._read(f"{self.state_dir}/{name}") for name in names)
        return [record for record in found if record is not None]

    def _record_path(self, attachment: Attachment) -> str:
        return f"{self._elsewhere.get(attachment.filename, self.state_dir)}/{attachment.filename}"

    def _read(self, path: str) -> Record | None:
        found = self._parse(path)
        if isinstance(found, Exception):
            self._set_aside(path, found)
            return None
        return found

    def _parse(self, path: str) -> Record | Exception | None:
        """The Record, None if there is no file, or what is wrong with it."""
        try:
            text = files.read(path)
            if text is None:
                return None
            record = _judge(Record.from_json(jsontext.parse_object(text)))
        except (BadJson, files.NoFile, ValueError, KeyError, TypeError) as error:
            return error
        self._known[self._claim_path(record)] = text, record.attachment
        return record

    def _set_aside(self, path: str, why: Exception) -> None:
        """A damaged file is named and kept for the operator; it costs its own attachment only."""
        aside = files.beside(path, "damaged")
        self.log.error("damaged state file set aside", file=path, kept_as=aside, reason=why)
        try:
            os.rename(path, aside)
        except OSError as error:
            self.log.warning("could not set the file aside", file=path, reason=error.strerror)


def _judge(record: Record) -> Record:
    """The addresses become parts of paths: ValueError if they are none. `pf` "" = it is not visible (vf/lone.py)."""
    parse_pci_address(record.vf)
    if record.pf:
        parse_pci_address(record.pf)
    return record


def _is_record(name: str) -> bool:
    """By Attachment.filename. sriov-cni keeps its files in the same default directory; they are not ours to judge."""
    return "@" in name
