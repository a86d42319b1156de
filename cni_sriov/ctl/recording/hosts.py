"""The node's faces (vf/host.py) for who records, which keeps every answer, and for who replays, which has nothing else."""

from __future__ import annotations

from errno import ENODATA, EROFS
from typing import NoReturn

from ...kernel.files import Files
from ...kernel.netlink import Netlink
from ...kernel.netns import OWN, Netns
from ...state.ledger import Ledger
from ...vf.host import Host
from ...words.errors import BadNetns, CniError, InputOutput, KernelRefused
from ...words.log import Log
from . import recording
from .answers import Answers, RecordedNetlink, SpyNetlink
from .camera import Camera
from .faces import AGAIN, READ_ONLY, RecordedSysfs
from .recording import Recording


class SpyFiles(Files):
    """The node's files; whatever is looked at is taken, beyond what a recording has anyhow."""

    __slots__ = ("camera",)

    def __init__(self, root: str, camera: Camera) -> None:
        super().__init__(root)
        self.camera = camera

    def data(self, path: str) -> bytes | None:
        self.camera.file(path)
        return Files.data(self, path)

    def tail(self, path: str, most: int) -> bytes | None:
        self.camera.log(path, most)
        return Files.tail(self, path, most)

    def names(self, path: str) -> list[str]:
        self.camera.listing(path)
        return Files.names(self, path)

    def target(self, path: str) -> str:
        self.camera.link(path)
        return Files.target(self, path)

    def real(self, path: str) -> str:
        self.camera.there(path)
        return Files.real(self, path)

    def has(self, path: str) -> bool:
        self.camera.there(path)
        return Files.has(self, path)


class SpyHost(Host):
    """The real one behind it; it changes nothing."""

    __slots__ = ("camera", "real", "recording", "spy")

    def __init__(self, real: Host, kept: Recording, camera: Camera) -> None:
        super().__init__(real.ledger, real.log, real.sysfs)
        self.camera = camera
        self.real = real
        self.recording = kept
        self.spy = SpyNetlink(real.netlink, kept.told)

    @property
    def netlink(self) -> Netlink:
        return self.spy

    @property
    def files(self) -> Files:
        return SpyFiles(self.real.files.root, self.camera)

    @property
    def own_netns(self) -> Netns:
        return self.open_path(OWN)

    def open_path(self, path: str) -> Netns:
        opened = self.recording.node.opened
        try:
            netns = self.real.own_netns if path == OWN else self.real.open_path(path)
        except BadNetns as error:
            opened[path] = recording.Netns(bad=error.msg)
            raise
        opened[path] = recording.Netns(netns.identity, _cookie(netns))
        return netns

    def netlink_in(self, netns: Netns) -> Netlink:
        answers = self.recording.pods.setdefault(netns.identity[-1], Answers())
        return SpyNetlink(self.real.netlink_in(netns), answers)

    def live_netns(self) -> dict[int, list[str]]:
        live = self.recording.node.live = self.real.live_netns()
        return live

    def blind_spot(self) -> str:
        return self.real.blind_spot()

    def eswitch_mode(self, pci_address: str) -> str:
        mode = self.recording.node.eswitches[pci_address] = self.real.eswitch_mode(pci_address)
        return mode


def _cookie(netns: Netns) -> int:
    try:
        return netns.cookie
    except (KernelRefused, CniError):  # it dies just now
        return 0


class RecordedNetns(Netns):
    """One that was; nobody goes there."""

    __slots__ = ("own",)

    def __init__(self, path: str, told: recording.Netns, own: tuple[int, int]) -> None:
        self.path = path
        self.fd = -1
        self.identity = told.identity
        self.own = own
        self._cookie = told.cookie

    def is_own(self) -> bool:
        return self.identity == self.own


class RecordedHost(Host):
    """`recording` instead of a node. What would change something is refused, what was not asked is an error."""

    __slots__ = ("of_node", "recording", "told")

    def __init__(
        self, ledger: Ledger, log: Log, sysfs: RecordedSysfs, kept: Recording, of_node: Files
    ) -> None:
        super().__init__(ledger, log, sysfs)
        self.recording = kept
        self.of_node = of_node
        self.told = RecordedNetlink(kept.told)

    @property
    def netlink(self) -> Netlink:
        return self.told

    @property
    def files(self) -> Files:
        return self.of_node

    @property
    def own_netns(self) -> Netns:
        return self.open_path(OWN)

    def open_path(self, path: str) -> Netns:
        opened = self.recording.node.opened
        if path not in opened:
            raise InputOutput(f"open netns {path}: it is not in the recording", AGAIN)
        if opened[path].bad:
            raise BadNetns(opened[path].bad)
        own = opened.get(OWN, recording.Netns())
        return RecordedNetns(path, opened[path], own.identity)

    def netlink_in(self, netns: Netns) -> Netlink:
        told = self.recording.pods.get(netns.identity[-1])
        if told is None:
            raise KernelRefused(f"look into netns {netns.path}", ENODATA, "it is not in the recording")
        return RecordedNetlink(told)

    def live_netns(self) -> dict[int, list[str]]:
        return {inode: list(paths) for inode, paths in self.recording.node.live.items()}

    def blind_spot(self) -> str:
        return self.recording.node.blind_spot

    def eswitch_mode(self, pci_address: str) -> str:
        known = self.recording.node.eswitches
        if pci_address not in known:
            raise KernelRefused(
                f"ask for the eswitch of {pci_address}", ENODATA, "it is not in the recording"
            )
        return known[pci_address]

    def visit(self, netns: Netns) -> NoReturn:
        raise KernelRefused(f"look into netns {netns.path}", ENODATA, "it is not in the recording")

    def run_plugin(self, executable: str, *_: object) -> NoReturn:
        raise KernelRefused(f"run {executable}", EROFS, READ_ONLY)
