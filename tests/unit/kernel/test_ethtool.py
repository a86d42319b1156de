"""Ethtool's structs as pyroute2 lays them out, by a driver in the place of the ioctl."""

from __future__ import annotations

import ctypes
import struct
from errno import EINVAL, EIO, ENODEV, ENOMEM, EOPNOTSUPP
from typing import TYPE_CHECKING, Any

import pytest
from pyroute2.ethtool import ioctl as theirs

from cni_sriov.kernel import ethtool
from cni_sriov.words.errors import KernelRefused

if TYPE_CHECKING:
    pass

# linux/ethtool.h
GWOL, GMSGLVL, GCOALESCE, GRINGPARAM, GPAUSEPARAM, GPFLAGS, GRXFH, GRXCLSRLCNT = 5, 7, 14, 16, 18, 39, 41, 46
GFEATURES, SFEATURES, GCHANNELS, GRSSH, GTUNABLE, PERQUEUE = 58, 59, 60, 70, 72, 75
SIOCGHWTSTAMP = 0x89B1


class NoSocket:
    def fileno(self) -> int:
        return -1


class Driver:
    """What it answers by command: bytes of the struct behind the command, an errno, or a function of the bytes told."""

    def __init__(self, **_: object) -> None:
        self.answers: dict[int, Any] = {}
        self.asked: list[int] = []

    def ioctl(self, _raw: object, request: int, ifreq: bytes) -> None:
        name, pointer = struct.unpack("@16sP16x", ifreq)
        assert name.rstrip(b"\0") == b"v0"
        command = int.from_bytes(ctypes.string_at(pointer, 4), "little") if request == 0x8946 else request
        self.asked.append(command)
        answer = self.answers.get(command, EOPNOTSUPP)
        if callable(answer):
            answer = answer(ctypes.string_at(pointer, 24))
        if isinstance(answer, int):
            raise OSError(answer, "no")
        ctypes.memmove(pointer, answer, len(answer))


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    made = Driver()
    monkeypatch.setattr(ethtool, "ioctl", made.ioctl)
    return made


def told() -> dict[str, str]:
    return ethtool.Ethtool(NoSocket(), "v0").traits()  # type: ignore[arg-type] # all that is asked of it


def filled(cls: Any, **values: int) -> bytes:
    made = cls()
    for name, value in values.items():
        setattr(made, name, value)
    return bytes(made)


def test_a_driver_that_knows_nothing_has_no_traits(driver: Driver) -> None:
    assert told() == {}
    assert {GFEATURES, GRINGPARAM, GCOALESCE, GRSSH, GRXFH, GRXCLSRLCNT, GTUNABLE, SIOCGHWTSTAMP} <= {
        *driver.asked
    }


def test_only_what_is_known_is_asked_for(driver: Driver) -> None:
    driver.answers = {GMSGLVL: filled(theirs.EthtoolValue, cmd=GMSGLVL, data=7)}

    assert ethtool.Ethtool(NoSocket(), "v0").traits({"message-level": "level 1", "xdp": ""}) == {  # type: ignore[arg-type]
        "message-level": "level 7"
    }
    assert driver.asked == [GMSGLVL]


def test_plain_structs(driver: Driver) -> None:
    rings = filled(
        theirs.EthtoolRingParam, cmd=GRINGPARAM, rx_max=4096, tx_max=4096, rx=256, rx_jumbo=1, tx=512
    )
    channels = filled(
        theirs.EthtoolChannels, cmd=GCHANNELS, max_rx=9, max_combined=8, combined_count=4, other_count=1
    )
    driver.answers = {
        GRINGPARAM: rings,
        GCHANNELS: channels,
        GMSGLVL: filled(theirs.EthtoolValue, cmd=GMSGLVL, data=7),
        GPFLAGS: filled(theirs.EthtoolValue, cmd=GPFLAGS, data=0),
        GWOL: filled(theirs.EthtoolWolInfo, cmd=GWOL, supported=32, wolopts=4),
        GPAUSEPARAM: struct.pack("4I", GPAUSEPARAM, 1, 0, 1),
    }

    assert told() == {
        "rings": "rx 256 rx-jumbo 1 tx 512",
        "channels": "other 1 combined 4",
        "message-level": "level 7",
        "private-flags": "0",
        "wake-on": "on 4",
        "pause": "autoneg 1 tx 1",
    }


def test_every_field_of_coalescing_counts(driver: Driver) -> None:
    names = [name for name, _ in theirs.EthtoolCoalesce._fields_[1:]]
    seen = {"0"}
    for name in names:
        driver.answers = {GCOALESCE: filled(theirs.EthtoolCoalesce, cmd=GCOALESCE, **{name: 3})}
        seen.add(told()["coalesce"])

    driver.answers = {GCOALESCE: filled(theirs.EthtoolCoalesce, cmd=GCOALESCE)}
    assert told()["coalesce"] == "0"
    assert len(seen) == len(names) + 1
    assert all(text == "0" or text.endswith(" 3") for text in seen)


def test_features_are_those_that_are_wanted(driver: Driver) -> None:
    made = theirs.EthtoolGfeatures()
    made.cmd, made.size = GFEATURES, 2
    made.features[0].requested, made.features[0].active = 0x9, 0xFFFF
    made.features[1].requested, made.features[1].available = 0x21, 0xFF
    driver.answers = {GFEATURES: bytes(made)[:40]}

    assert told() == {"features": "2100000009"}


def test_only_features_that_differ_are_set(driver: Driver) -> None:
    made = theirs.EthtoolGfeatures()
    sent: list[bytes] = []

    def take(asked: bytes) -> bytes:
        sent.append(asked)
        return b""

    made.cmd, made.size = GFEATURES, 2
    made.features[0].requested, made.features[1].requested = 0x9, 0x21
    driver.answers = {GFEATURES: bytes(made)[:40], SFEATURES: take}
    there = ethtool.Ethtool(NoSocket(), "v0")  # type: ignore[arg-type]

    there.set_features("2100000009")
    assert sent == []
    there.set_features("1100000008")

    # cmd, size, then valid and requested of each word
    assert sent == [struct.pack("6I", SFEATURES, 2, 0x1, 0x8, 0x30, 0x11)]


def test_rss_is_table_key_and_hash(driver: Driver) -> None:
    """struct ethtool_rxfh: context, sizes, hash function, then the table and the key."""

    def answer(asked: bytes) -> bytes:
        _, context, size, key, _, _ = struct.unpack("6I", asked)
        assert (context, size, key) in {(0, 0, 0), (0, 4, 6)}
        head = struct.pack("6I", GRSSH, 0, 4, 6, 1, 0)
        return head + (struct.pack("4I", *table) + b"sixkey" if size else b"")

    driver.answers = {GRSSH: answer}
    table = [0, 1, 0, 1]
    assert told() == {"rss": f"table 4 even over 2 key {b'sixkey'.hex()} hash 1"}
    table = [0, 0, 0, 1]
    assert told()["rss"].startswith("table 0,0,0,1 key ")


def test_steering_rules_and_hashed_fields(driver: Driver) -> None:
    def fields(asked: bytes) -> bytes | int:
        command, flow = struct.unpack("2I", asked[:8])
        return struct.pack("2IQ", command, flow, 0x30) if flow == 1 else EINVAL

    driver.answers = {
        GRXFH: fields,
        GRXCLSRLCNT: struct.pack("2I", GRXCLSRLCNT, 0) + bytes(176) + struct.pack("I", 3),
    }

    assert told() == {"rules": "3", "rss-fields": "tcp4 30 udp4 0 sctp4 0 tcp6 0 udp6 0 sctp6 0"}


def test_tunables_and_timestamps(driver: Driver) -> None:
    def tunable(asked: bytes) -> bytes | int:
        command, number, kind, size = struct.unpack("4I", asked[:16])
        assert (kind, size) == ((2, 2) if number == 3 else (3, 4))
        return struct.pack("5I", command, number, kind, size, 256) if number == 1 else EINVAL

    driver.answers = {GTUNABLE: tunable, SIOCGHWTSTAMP: struct.pack("3I", 0, 1, 12)}

    assert told() == {"rx-copybreak": "256", "timestamps": "tx 1 rx-filter 12"}


def test_coalescing_of_each_queue(driver: Driver) -> None:
    def queues(asked: bytes) -> bytes:
        assert struct.unpack("3I", asked[:12]) == (PERQUEUE, GCOALESCE, 0b11)
        one = theirs.EthtoolCoalesce
        last = filled(one, rx_coalesce_usecs=usecs)
        return asked[:12] + bytes(508) + filled(one, rx_coalesce_usecs=50) + last

    channels = filled(theirs.EthtoolChannels, cmd=GCHANNELS, combined_count=2)
    driver.answers = {GCHANNELS: channels, GCOALESCE: bytes(92), PERQUEUE: queues}
    usecs = 50
    assert told()["queue-coalesce"] == "rx-usecs 50"
    usecs = 51
    assert told()["queue-coalesce"] == "rx-usecs 50; rx-usecs 51"


@pytest.mark.parametrize("number", [EIO, ENOMEM, ENODEV])
@pytest.mark.parametrize(
    "command", [GFEATURES, GRINGPARAM, GCOALESCE, GRSSH, GRXFH, GRXCLSRLCNT, GTUNABLE, SIOCGHWTSTAMP]
)
def test_a_failed_look_is_not_absence(driver: Driver, command: int, number: int) -> None:
    driver.answers = {command: number}

    with pytest.raises(KernelRefused) as refused:
        told()

    assert refused.value.errno == number
    assert str(refused.value).startswith("ask for ")


@pytest.mark.parametrize("number", [EOPNOTSUPP, EINVAL, 524])
def test_what_the_driver_has_not_is_left_out(driver: Driver, number: int) -> None:
    driver.answers = dict.fromkeys((GFEATURES, GRINGPARAM, GCOALESCE, GRSSH, GTUNABLE), number)

    assert told() == {}


def test_bus_info_is_where_struct_ethtool_drvinfo_has_it(driver: Driver) -> None:
    driver.answers = {3: struct.pack("I32s32s32s32s", 3, b"igbvf", b"6.12", b"", b"0000:01:10.0")}

    assert ethtool.Ethtool(NoSocket(), "v0").bus_info() == "0000:01:10.0"  # type: ignore[arg-type]
    driver.answers = {}
    assert ethtool.Ethtool(NoSocket(), "v0").bus_info() == ""  # type: ignore[arg-type]
