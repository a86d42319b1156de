"""What this node has attached: a claim per VF, a Record per attachment, a lock per attachment.

Claims are node-global, under /run/cni-sriov/claims, whatever stateDir a conf names: two networks can never claim one
VF. A claim's file name is "<PF>+<VF>", so listing the directory tells what is taken and on which PF without reading.
Its content is the Record, first without a baseline (chosen, nothing touched), then complete: a second copy that
survives a damaged stateDir. /run is a tmpfs: claims end with the boot, as the VFs' state does. The Record in stateDir
is the durable one; one file each, so one damaged file costs one attachment.

A file that cannot be read is never absent (rule 14 of the design): its name keeps the VF taken, Unreadable is what whoever
needs its content gets, and it stays where it is. The copy that can be read serves, and is written over it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..words.domain import Attachment
from ..words.errors import InputOutput, Unreadable
from ..words.log import Log
from ..words.record import Record
from . import earlier, files, nodeblocks, sriovcni
from .claims import Claims, attachment_in, is_record, misplaced
from .lock import Lock
from .nodeblocks import NodeBlocks

RUN_DIR = "/run/cni-sriov"


def read_boot_id() -> str:
    """Random per boot: Documentation/admin-guide/sysctl/kernel.rst, "random"."""
    fd = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 100).decode().strip()
    finally:
        os.close(fd)


class Ledger(Claims):
    """All methods that change an attachment's files expect the caller to hold its lock (`attachment_lock`)."""

    __slots__ = ("_elsewhere", "cache_dirs", "cluster_dir", "machine_id", "state_dir")

    def __init__(self, state_dir: str, log: Log, run_dir: str = RUN_DIR, boot_id: str = "") -> None:
        super().__init__(run_dir, boot_id or read_boot_id(), log)
        self.state_dir = state_dir
        self.cluster_dir = nodeblocks.BASE
        self.machine_id = nodeblocks.MACHINE_ID
        self.cache_dirs = [state_dir]  # where sriov-cni's files may be: both have the same default
        # file name of a Record -> the stateDir it is in, where that is not ours
        self._elsewhere: dict[str, str] = {}

    def open(self) -> None:
        """Make the directories and register ours, so that `sriovctl` finds it. Needed before anything is written."""
        self.open_run_dir()
        files.ensure_directory(self.state_dir)
        link = f"{self.run_dir}/dirs/{files.as_name(self.state_dir)}"
        if os.path.lexists(link):
            return
        with self.node_lock("first use of a stateDir"):
            if not os.path.lexists(link):
                earlier.drop(self, self.state_dir)
                os.symlink(self.state_dir, link)  # its name says the same, and is what is read

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

    # shared pools --------------------------------------------------------------------------------

    def cluster(self, name: str) -> NodeBlocks:
        """What can be seen of it; state/blocks.of is for who changes something."""
        return NodeBlocks(name, self.cluster_dir, self.run_dir, self.machine_id)

    def clusters(self) -> list[str]:
        """Those that this node has anything of."""
        return files.names(self.cluster_dir)

    # locks ---------------------------------------------------------------------------------------

    def attachment_lock(self, attachment: Attachment, verb: str) -> Lock:
        """Held by every verb from before the record until exit: free and in-progress = its ADD is dead."""
        return Lock(f"{self.run_dir}/locks/{attachment.filename}", verb, inherited=True)

    def node_lock(self, verb: str) -> Lock:
        """Guards the choice of a VF: short, never held while a VF is changed."""
        return Lock(f"{self.run_dir}/claims.lock", verb)

    # claims --------------------------------------------------------------------------------------

    def with_vf(self) -> set[Attachment]:
        """Whoever has a VF, or may have: where a claim cannot be read, it may be that of anybody with a Record's file."""
        found = list(self.each_claim())
        unclear = [error for error in found if isinstance(error, Unreadable)]
        known = {record.attachment for record in found if isinstance(record, Record)}
        known |= {who for who in map(attachment_in, unclear) if who is not None}
        return known | self._recorded() if unclear else known

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
        """Who has the Record's VF. Mostly it is whom this call has read or written the same text of: then that is all.

        Where the claim cannot be read, the Record speaks for it, unless the claim or another Record tells of another. Unreadable
        where one of them cannot be looked at now.
        """
        path = self.claim_path(record)
        text, attachment = self._known.get(path, ("", None))
        try:
            if text and files.read(path) == text:
                return attachment
        except files.NoFile:
            pass  # told by:
        claim = self.parse_claim(path)
        if isinstance(claim, Unreadable):
            self.complain(claim)
            if claim.passing:
                raise claim
            owner = self._recorded_on(record.vf, record.attachment) if record.vf else record.attachment
            return attachment_in(claim) or owner
        return None if claim is None else claim.attachment

    def _recorded_on(self, vf: str, ours: Attachment) -> Attachment:
        """Whose Record names that VF, in whatever stateDir; ours where no other's does."""
        for directory in self.directories():
            for name in filter(is_record, files.names(directory)):
                found = self.parse(f"{directory}/{name}")
                if isinstance(found, Unreadable) and found.passing:
                    raise found
                if not isinstance(found, Record) or found.attachment == ours:
                    continue
                if (found.vf, found.boot_id) == (vf, self.boot_id):
                    return found.attachment
        return ours

    def pfs_of_container(self, attachment: Attachment) -> list[str]:
        """PF addresses of the container's other interfaces. Lock files tell their names, so no claim is read in vain."""
        names = files.names(f"{self.run_dir}/locks")
        others = [name for name in names if name.startswith(f"{attachment.container_id}@")]
        records = (self.parse(f"{self.state_dir}/{name}") for name in others if name != attachment.filename)
        return [record.pf for record in records if isinstance(record, Record)]

    # records -------------------------------------------------------------------------------------

    def put(self, record: Record) -> None:
        """Write both copies, the durable one first."""
        self._write(record, self._record_path(record.attachment), self.claim_path(record))

    def has_record(self, attachment: Attachment) -> bool:
        """Whether there is a file of it in any stateDir in use."""
        return any(
            os.path.lexists(f"{directory}/{attachment.filename}")
            for directory in (self.state_dir, *self.directories())
        )

    def find(self, attachment: Attachment) -> Record | None:
        """The Record of an attachment; where its file is unreadable or in another stateDir, the claim's copy.

        Unreadable if there is one, and neither copy can be read.
        """
        path = self._record_path(attachment)
        found = self.parse(path)
        if isinstance(found, Record):
            if found.attachment == attachment:
                return found
            found = misplaced(path, found)
        claims = list(self.each_claim())
        for claim in claims:
            if isinstance(claim, Record) and claim.attachment == attachment:
                self._look_elsewhere(claim)
                return claim
        if isinstance(found, Unreadable):
            raise found
        return self._find_by_unreadable(attachment, [one for one in claims if isinstance(one, Unreadable)])

    def _find_by_unreadable(self, attachment: Attachment, claims: list[Unreadable]) -> Record | None:
        """There is no Record here: another stateDir may have it, or the claim tell that there was one."""
        for directory in self.directories() if claims else ():
            found = self.parse(f"{directory}/{attachment.filename}")
            if isinstance(found, Unreadable):
                raise found
            if found is not None and any(one.path == self.claim_path(found) for one in claims):
                self._elsewhere[attachment.filename] = directory
                return found
        for error in claims:
            if attachment_in(error) == attachment:
                raise error
        return None

    def _look_elsewhere(self, claim: Record) -> None:
        """The conf names another stateDir than at ADD, or is of another network: the Record's file is in one of those
        that are registered, and goes with the claim.
        """
        for directory in self.directories():
            found = self.parse(f"{directory}/{claim.attachment.filename}")
            theirs = isinstance(found, Record) and (found.attachment, found.vf) != (
                claim.attachment,
                claim.vf,
            )
            if found is not None and not theirs:
                self._elsewhere[claim.attachment.filename] = directory

    def directories(self) -> list[str]:
        """Every stateDir in use. The link's name is the path, so nothing needs to be read."""
        return [files.from_name(name) for name in files.names(f"{self.run_dir}/dirs")]

    def _recorded(self) -> set[Attachment]:
        """Whoever has a file of a Record, by its name."""
        names = [
            name for directory in {self.state_dir, *self.directories()} for name in files.names(directory)
        ]
        return {attachment_of(name) for name in names if is_record(name)}

    def forget(self, record: Record) -> None:
        """Drop the claim and the Record, the Record last: while it stands, a DEL can finish what is left."""
        if self.claimant(record) == record.attachment:
            files.forget(self.claim_path(record))
        files.forget(self._record_path(record.attachment))
        if record.adopted:
            sriovcni.forget(record)

    def forget_half(self, attachment: Attachment) -> None:
        """What an ADD without a VF left that was killed before it had a claim; one with a VF leaves it to the next."""
        files.remove(files.beside(f"{self.run_dir}/claims/+{attachment.filename}", "tmp"))

    def records(self) -> list[Record]:
        """All Records of this stateDir that can be read; the others are told in the log, once."""
        for error in self.unreadable_records():
            self.complain(error)
        return [record for record in self.each_record() if isinstance(record, Record)]

    def unreadable_records(self) -> list[Unreadable]:
        return [error for error in self.each_record() if isinstance(error, Unreadable)]

    def each_record(self) -> Iterator[Record | Unreadable]:
        for name in filter(is_record, files.names(self.state_dir)):
            found = self.parse(f"{self.state_dir}/{name}")
            if isinstance(found, Record) and found.attachment.filename != name:
                found = misplaced(f"{self.state_dir}/{name}", found)
            if found is not None:
                yield found

    def _record_path(self, attachment: Attachment) -> str:
        return f"{self._elsewhere.get(attachment.filename, self.state_dir)}/{attachment.filename}"


def attachment_of(filename: str) -> Attachment:
    """By Attachment.filename."""
    container_id, _, ifname = filename.partition("@")
    return Attachment(container_id, ifname)
