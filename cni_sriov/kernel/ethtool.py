"""What ethtool tells of a netdev, as text that can be compared and read, and its features set. By ioctl: every kernel has
them, and it takes no socket of its own. Structs and numbers: linux/ethtool.h, linux/net_tstamp.h.

Left out is what belongs to the physical port, and no driver lets a VF's user set: link settings, FEC, EEE.
"""

from __future__ import annotations

from _socket import socket as Socket  # noqa: N812 # the class in C: socket.socket is a slower heir
from array import array
from collections.abc import Iterable, Mapping
from errno import EINVAL, ENOTTY, EOPNOTSUPP
from fcntl import ioctl
from struct import Struct

from ..words.errors import KernelRefused

_SIOCETHTOOL, _SIOCGHWTSTAMP = 0x8946, 0x89B1  # linux/sockios.h
_GFEATURES, _SFEATURES, _GSSET_INFO, _GSTRINGS = 58, 59, 55, 27
_GRSSH, _GRXFH, _GRXCLSRLCNT, _GTUNABLE, _PERQUEUE, _GCOALESCE = 70, 41, 46, 72, 75, 14
_SS_FEATURES = 4
_IFREQ = Struct("@16sP16x")  # struct ifreq, with a pointer
# "has none"; ENOTSUPP (include/linux/errno.h, the kernel's own) is what some drivers let out
_NONE = {EOPNOTSUPP, EINVAL, ENOTTY, 524}
_WORD = 4  # bytes

# command, words of the struct, and which of them a user can set
_PLAIN: dict[str, tuple[int, int, dict[int, str]]] = {
    "rings": (16, 9, {5: "rx", 6: "rx-mini", 7: "rx-jumbo", 8: "tx"}),
    "channels": (60, 9, {5: "rx", 6: "tx", 7: "other", 8: "combined"}),
    "pause": (18, 4, {1: "autoneg", 2: "rx", 3: "tx"}),
    "wake-on": (5, 5, {2: "on", 3: "password", 4: "password-end"}),
    "message-level": (7, 2, {1: "level"}),
    "private-flags": (39, 2, {1: "bits"}),
}
_COALESCE = (
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
_FLOWS = {"tcp4": 1, "udp4": 2, "sctp4": 3, "tcp6": 5, "udp6": 6, "sctp6": 7}
_TUNABLES = {1: ("rx-copybreak", 3, 4), 2: ("tx-copybreak", 3, 4), 3: ("pfc-prevention-tout", 2, 2)}
_TUNABLES |= {4: ("tx-copybreak-buf-size", 3, 4)}  # ID: name, type (ETHTOOL_TUNABLE_U*), bytes


class Ethtool:
    """One netdev, by its name in the netns of that socket. Each question takes RTNL for a moment.

    KernelRefused where a look fails: ENODEV = it is gone, or its driver is just resetting it.
    """

    __slots__ = ("_ifname", "_raw")

    def __init__(self, raw: Socket, ifname: str) -> None:
        self._raw = raw
        self._ifname = ifname

    def traits(self) -> dict[str, str]:
        """What the driver has no answer for is not among them."""
        found: dict[str, str] = {}
        features = self._features()
        if features is not None:
            found["features"] = f"{features:x}"
        for name, (command, size, fields) in _PLAIN.items():
            answer = self._ask(name, command, size)
            if answer is not None:
                found[name] = _text(answer, fields)
        coalesce = self._ask("coalesce", _GCOALESCE, 1 + len(_COALESCE))
        if coalesce is not None:
            found["coalesce"] = _text(coalesce, dict(enumerate(_COALESCE, 1)))
            queues = _number_of_queues(found.get("channels", ""))
            found.update(self._coalesce_by_queue(queues) if queues else {})
        return found | self._rss() | self._flows() | self._tunables() | self._timestamps()

    def set_features(self, wanted: str) -> None:
        """As `traits` told them. What the driver does not let be changed stays as it is, without a word."""
        now = self._features()
        differing = (now or 0) ^ int(wanted, 16)
        if now is None or not differing:
            return
        words = range(0, max(differing.bit_length(), 64), 32)
        pairs = [
            part
            for at in words
            for part in (differing >> at & 0xFFFFFFFF, int(wanted, 16) >> at & 0xFFFFFFFF)
        ]
        told = array("I", [_SFEATURES, len(words), *pairs])
        self._tell("set features", told)

    # -- one thing each -----------------------------------------------------------------------------------------------

    def _features(self) -> int | None:
        """Those that are wanted (struct ethtool_get_features_block: available, requested, active, never_changed); what is
        active follows from that, the MTU, XDP and the like.
        """
        answer = self._ask("features", _GFEATURES, 2 + 4 * 4, 4)
        if answer is None:
            return None
        return sum(answer[3 + 4 * block] << 32 * block for block in range(min(answer[1], 4)))

    def _rss(self) -> dict[str, str]:
        """struct ethtool_rxfh: first the sizes, then the indirection table and the key."""
        sizes = self._ask("rss", _GRSSH, 6)
        if sizes is None:
            return {}
        table, key = sizes[2], sizes[3]
        answer = self._ask("rss", _GRSSH, 6 + table + (key + 3) // 4, 0, table, key)
        if answer is None:
            return {}
        spread, end = answer[6 : 6 + table], (6 + table) * _WORD
        return {
            "rss": f"table {_spread(spread)} key {answer.tobytes()[end : end + key].hex()} hash {answer[4]:x}"
        }

    def _flows(self) -> dict[str, str]:
        """struct ethtool_rxnfc: which fields each kind of packet is hashed by, and how many rules steer some."""
        hashed: dict[str, int] = {}
        for flow, number in _FLOWS.items():
            answer = self._ask("rss-fields", _GRXFH, 48, number)
            if answer is None and not hashed:
                break
            hashed[flow] = answer[2] if answer is not None else 0
        rules = self._ask("rules", _GRXCLSRLCNT, 48)
        found = (
            {"rss-fields": " ".join(f"{flow} {fields:x}" for flow, fields in hashed.items())}
            if hashed
            else {}
        )
        return found | ({"rules": str(rules[46])} if rules is not None else {})

    def _tunables(self) -> dict[str, str]:
        """struct ethtool_tunable; a driver that has none at all says so to the first."""
        found = {}
        for number, (name, kind, size) in _TUNABLES.items():
            answer = self._ask(name, _GTUNABLE, 5, number, kind, size)
            if answer is not None:
                found[name] = str(answer[4])
            elif number == 1:
                break
        return found

    def _coalesce_by_queue(self, queues: int) -> dict[str, str]:
        """struct ethtool_per_queue_op: a mask of 4096 queues, then an answer for each."""
        mask = (1 << min(queues, 4096)) - 1
        told = [mask >> at & 0xFFFFFFFF for at in range(0, 4096, 32)]
        size = 1 + len(_COALESCE)
        answer = self._ask("queue-coalesce", _PERQUEUE, 2 + 128 + queues * size, _GCOALESCE, *told)
        if answer is None:
            return {}
        fields = dict(enumerate(_COALESCE, 1))
        texts = [_text(answer[at : at + size], fields) for at in range(130, len(answer), size)]
        return {"queue-coalesce": texts[0] if len({*texts}) == 1 else "; ".join(texts)}

    def _timestamps(self) -> dict[str, str]:
        """struct hwtstamp_config: flags, tx_type, rx_filter."""
        config = array("I", bytes(12))
        if not self._call("hardware timestamps", _SIOCGHWTSTAMP, config):
            return {}
        return {"timestamps": _text(config, {0: "flags", 1: "tx", 2: "rx-filter"})}

    # -- asking -------------------------------------------------------------------------------------------------------

    def _ask(self, what: str, command: int, size: int, *told: int) -> array[int] | None:
        """The struct of `size` words that answers it; None if the driver has none. `told`: the words after the first."""
        words = array("I", [command, *told])
        words.frombytes(bytes((size - len(words)) * _WORD))
        return words if self._call(what, _SIOCETHTOOL, words) else None

    def _call(self, what: str, request: int, words: array[int]) -> bool:
        try:
            self._tell(f"look up {what}", words, request)
        except KernelRefused as refused:
            if refused.errno in _NONE:
                return False
            raise
        return True

    def _tell(self, what: str, words: array[int], request: int = _SIOCETHTOOL) -> None:
        wire = self._ifname.encode("utf-8", "surrogateescape")
        try:
            ioctl(self._raw, request, _IFREQ.pack(wire, words.buffer_info()[0]))
        except OSError as error:
            raise KernelRefused(f"{what} of link {self._ifname}", error.errno or 0) from error


def _text(answer: Iterable[int], fields: Mapping[int, str]) -> str:
    """What is not 0, by name; "0" if all are."""
    values = [f"{fields[at]} {value}" for at, value in enumerate(answer) if value and at in fields]
    return " ".join(values) or "0"


def _number_of_queues(channels: str) -> int:
    """Of "rx 2 tx 2 combined 4": the most that one direction has."""
    words = channels.split()
    counts = dict(zip(words[::2], map(int, words[1::2]), strict=False))
    return counts.get("combined", 0) + max(counts.get("rx", 0), counts.get("tx", 0))


def _spread(table: array[int]) -> str:
    """An indirection table; the usual one in short (ethtool_rxfh_indir_default)."""
    rings = max(table, default=-1) + 1
    if all(ring == at % rings for at, ring in enumerate(table)):
        return f"{len(table)} even over {rings}"
    return ",".join(map(str, table))
