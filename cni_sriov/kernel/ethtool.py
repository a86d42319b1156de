"""What ethtool tells of a netdev, as text that can be compared and read, and its features set. By ioctl: every kernel has
them, and it takes no socket of its own. Structs and numbers: linux/ethtool.h, linux/net_tstamp.h.

Left out is what belongs to the physical port, and no driver lets a VF's user set: link settings, FEC, EEE.
"""

from __future__ import annotations

from _socket import socket as Socket  # noqa: N812 # the class in C: socket.socket is a slower heir
from array import array
from collections.abc import Callable, Collection, Iterable
from errno import EINVAL, ENOTTY, EOPNOTSUPP
from fcntl import ioctl
from struct import Struct

from ..words.errors import KernelRefused
from .attributes import text_of

_SIOCETHTOOL, _SIOCGHWTSTAMP = 0x8946, 0x89B1  # linux/sockios.h
_GDRVINFO, _GFEATURES, _SFEATURES = 3, 58, 59
_GRSSH, _GRXFH, _GRXCLSRLCNT, _GTUNABLE, _PERQUEUE, _GCOALESCE = 70, 41, 46, 72, 75, 14
_IFREQ = Struct("@16sP16x")  # struct ifreq, with a pointer
# "has none"; ENOTSUPP (include/linux/errno.h, the kernel's own) is what some drivers let out
_NONE = {EOPNOTSUPP, EINVAL, ENOTTY, 524}
_WORD = 4  # bytes

_COALESCE = (  # struct ethtool_coalesce, behind its command
    "rx-usecs",
    "rx-frames",
    "rx-usecs-irq",
    "rx-frames-irq",
    "tx-usecs",
    "tx-frames",
    "tx-usecs-irq",
    "tx-frames-irq",
    "stats-block-usecs",
    "adaptive-rx",
    "adaptive-tx",
    "pkt-rate-low",
    "rx-usecs-low",
    "rx-frames-low",
    "tx-usecs-low",
    "tx-frames-low",
    "pkt-rate-high",
    "rx-usecs-high",
    "rx-frames-high",
    "tx-usecs-high",
    "tx-frames-high",
    "sample-interval",
)
# command, words of the struct, and which of them a user can set
_PLAIN: dict[str, tuple[int, int, tuple[tuple[int, str], ...]]] = {
    "rings": (16, 9, ((5, "rx"), (6, "rx-mini"), (7, "rx-jumbo"), (8, "tx"))),
    "channels": (60, 9, ((5, "rx"), (6, "tx"), (7, "other"), (8, "combined"))),
    "pause": (18, 4, ((1, "autoneg"), (2, "rx"), (3, "tx"))),
    "wake-on": (5, 5, ((2, "on"), (3, "password"), (4, "password-end"))),
    "message-level": (7, 2, ((1, "level"),)),
    "private-flags": (39, 2, ((1, "bits"),)),
    "coalesce": (_GCOALESCE, 1 + len(_COALESCE), tuple(enumerate(_COALESCE, 1))),
}
_FLOWS = {"tcp4": 1, "udp4": 2, "sctp4": 3, "tcp6": 5, "udp6": 6, "sctp6": 7}
_TUNABLES = {  # ETHTOOL_*: number, type (ETHTOOL_TUNABLE_U16 or U32), bytes
    "rx-copybreak": (1, 3, 4),
    "tx-copybreak": (2, 3, 4),
    "pfc-prevention-tout": (3, 2, 2),
    "tx-copybreak-buf-size": (4, 3, 4),
}


class Ethtool:
    """One netdev, by its name in the netns of that socket. Each question takes RTNL for a moment.

    KernelRefused where a look fails: ENODEV = it is gone, or its driver is just resetting it.
    """

    __slots__ = ("_fd", "_ifname", "_wire")

    def __init__(self, raw: Socket, ifname: str) -> None:
        self._fd = raw.fileno()
        self._ifname = ifname
        self._wire = ifname.encode("utf-8", "surrogateescape")

    def traits(self, known: Collection[str] | None = None) -> dict[str, str]:
        """What the driver has no answer for is not among them. `known`: ask for these alone, so that what it once had no
        answer for costs nothing.
        """
        found = {}
        for name in _LOOKS if known is None else _LOOKS.keys() & known:
            text = _LOOKS[name](self, name)
            if text is not None:
                found[name] = text
        return found

    def bus_info(self) -> str:
        """struct ethtool_drvinfo, bus_info: the PCI address, "" for a link that has none."""
        answer = self._ask("bus-info", _GDRVINFO, 49)
        return text_of(answer.tobytes()[100:132]) if answer is not None else ""

    def set_features(self, wanted: str) -> None:
        """As `traits` told them. What the driver does not let be changed stays as it is, without a word."""
        now = self._wanted("features")
        differing = (now or 0) ^ int(wanted, 16)
        if now is None or not differing:
            return
        words = range(0, max(differing.bit_length(), 64), 32)
        pairs = [
            part
            for at in words
            for part in (differing >> at & 0xFFFFFFFF, int(wanted, 16) >> at & 0xFFFFFFFF)
        ]
        if self._ask("other features", _SFEATURES, 2 + len(pairs), len(words), *pairs) is None:
            raise KernelRefused(f"set features of link {self._ifname}", EOPNOTSUPP)

    # -- one thing each -----------------------------------------------------------------------------------------------

    def plain(self, name: str) -> str | None:
        command, size, fields = _PLAIN[name]
        answer = self._ask(name, command, size)
        return _text(answer, fields) if answer is not None else None

    def tunable(self, name: str) -> str | None:
        """struct ethtool_tunable."""
        answer = self._ask(name, _GTUNABLE, 5, *_TUNABLES[name])
        return str(answer[4]) if answer is not None else None

    def _wanted(self, name: str) -> int | None:
        """struct ethtool_get_features_block: available, requested, active, never_changed of 32 features each."""
        answer = self._ask(name, _GFEATURES, 2 + 4 * 4, 4)
        if answer is None:
            return None
        return sum(answer[3 + 4 * block] << 32 * block for block in range(min(answer[1], 4)))

    def features(self, name: str) -> str | None:
        """Those that are wanted: what is active follows from that, the MTU, XDP and the like."""
        wanted = self._wanted(name)
        return f"{wanted:x}" if wanted is not None else None

    def rss(self, name: str) -> str | None:
        """struct ethtool_rxfh: first the sizes, then the indirection table and the key."""
        sizes = self._ask(name, _GRSSH, 6)
        if sizes is None:
            return None
        table, key = sizes[2], sizes[3]
        answer = self._ask(name, _GRSSH, 6 + table + (key + 3) // 4, 0, table, key)
        if answer is None:
            return None
        end = (6 + table) * _WORD
        spread, secret = _spread(answer[6 : 6 + table]), answer.tobytes()[end : end + key].hex()
        return f"table {spread} key {secret} hash {answer[4]:x}"

    def rss_fields(self, name: str) -> str | None:
        """struct ethtool_rxnfc: which fields each kind of packet is hashed by."""
        hashed: list[str] = []
        for flow, number in _FLOWS.items():
            answer = self._ask(name, _GRXFH, 48, number)
            if answer is None and not hashed:
                return None
            hashed.append(f"{flow} {answer[2] if answer is not None else 0:x}")
        return " ".join(hashed)

    def rules(self, name: str) -> str | None:
        """struct ethtool_rxnfc: how many rules steer packets to queues."""
        answer = self._ask(name, _GRXCLSRLCNT, 48)
        return str(answer[46]) if answer is not None else None

    def queue_coalesce(self, name: str) -> str | None:
        """struct ethtool_per_queue_op: a mask of 4096 queues, then an answer for each."""
        channels = self._ask("channels", _PLAIN["channels"][0], 9)
        queues = min(channels[8] + max(channels[5], channels[6]), 4096) if channels is not None else 0
        if not queues:
            return None
        told = [(1 << queues) - 1 >> at & 0xFFFFFFFF for at in range(0, queues, 32)]
        _, size, fields = _PLAIN["coalesce"]
        answer = self._ask(name, _PERQUEUE, 130 + queues * size, _GCOALESCE, *told)
        if answer is None:
            return None
        texts = [_text(answer[at : at + size], fields) for at in range(130, len(answer), size)]
        return texts[0] if len({*texts}) == 1 else "; ".join(texts)

    def timestamps(self, name: str) -> str | None:
        """struct hwtstamp_config: flags, tx_type, rx_filter."""
        config = array("I", bytes(12))
        known = self._call(name, _SIOCGHWTSTAMP, config)
        return _text(config, ((0, "flags"), (1, "tx"), (2, "rx-filter"))) if known else None

    # -- asking -------------------------------------------------------------------------------------------------------

    def _ask(self, what: str, command: int, size: int, *told: int) -> array[int] | None:
        """The struct of `size` words that answers it; None if the driver has none. `told`: the words after the first."""
        words = array("I", bytes(size * _WORD))
        words[0] = command
        for at, word in enumerate(told, 1):
            words[at] = word
        return words if self._call(what, _SIOCETHTOOL, words) else None

    def _call(self, what: str, request: int, words: array[int]) -> bool:
        """Most questions are about what a VF's driver has not, so that way is short."""
        try:
            ioctl(self._fd, request, _IFREQ.pack(self._wire, words.buffer_info()[0]))
        except OSError as error:
            if error.errno in _NONE:
                return False
            raise KernelRefused(f"ask for {what} of link {self._ifname}", error.errno or 0) from error
        return True


def _text(answer: array[int], fields: Iterable[tuple[int, str]]) -> str:
    """What is not 0, by name; "0" if all are."""
    return " ".join([f"{name} {answer[at]}" for at, name in fields if answer[at]]) or "0"


def _spread(table: array[int]) -> str:
    """An indirection table; the usual one in short (ethtool_rxfh_indir_default)."""
    rings = max(table, default=-1) + 1
    if table == (array("I", range(rings)) * (len(table) // max(rings, 1) + 1))[: len(table)]:
        return f"{len(table)} even over {rings}"
    return ",".join(map(str, table))


_LOOKS: dict[str, Callable[[Ethtool, str], str | None]] = {
    **dict.fromkeys(_PLAIN, Ethtool.plain),
    **dict.fromkeys(_TUNABLES, Ethtool.tunable),
    "features": Ethtool.features,
    "queue-coalesce": Ethtool.queue_coalesce,
    "rss": Ethtool.rss,
    "rss-fields": Ethtool.rss_fields,
    "rules": Ethtool.rules,
    "timestamps": Ethtool.timestamps,
}
NAMES = frozenset(_LOOKS)
