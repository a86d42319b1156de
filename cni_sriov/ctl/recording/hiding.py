"""One word for another, the same all over a recording: names by a keyed hash, MACs by their lower half, addresses by their
upper bits. Who does not have the salt, which is never written, cannot tell which it was.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...words.inet import BITS, RESERVED, parse_address, render_address

_MAC = re.compile(
    r"(?<![0-9A-Fa-f:])([0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5})(?![0-9A-Fa-f:]|-[0-9A-Fa-f]{2})"
)
_ENX = re.compile(r"\benx([0-9a-f]{12})")
_V4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")
_V6 = re.compile(r"(?<![0-9A-Za-z:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z:])")
_LENGTH = re.compile(r"([0-9A-Fa-f:.]*[:.][0-9A-Fa-f:.]*)[/_](\d{1,3})(?!\d)")
_HEX_ID = re.compile(r"[0-9a-f]{32,64}")
_SHORT = 12  # of a container ID, as docker and crictl show it
_CUT = {4: 16, 6: 48}  # the upper bits that are another's then
_KNOWN_LENGTH = 8  # what is shorter is no network of anybody's


@dataclass(slots=True)
class Hiding:
    """`names` are what is to be hidden wherever it stands as a word; `cut` has the upper bits of addresses, by version."""

    salt: bytes
    names: dict[str, str] = field(default_factory=dict)
    cut: dict[int, int] = field(default_factory=lambda: dict(_CUT))
    _macs: dict[bytes, bytes] = field(default_factory=dict)
    _tops: dict[tuple[int, int], int] = field(default_factory=dict)
    _taken: set[tuple[int, int]] = field(default_factory=set)
    _words: re.Pattern[str] | None = None
    _has_long: bool = False

    # what is to be hidden ------------------------------------------------------------------------------------------------

    def hide(self, names: Iterable[str]) -> None:
        for name in names:
            if _HEX_ID.fullmatch(name):
                told = (self._digest("name", name) * 2)[: len(name)]
                self.names[name[:_SHORT]] = told[:_SHORT]
            else:
                told = f"x{self._digest('name', name)[:10]}"
            self.names[name] = told
        self._words = None

    def learn_lengths(self, text: str) -> None:
        """Where its prefixes end: bits below the shortest stay, so that what was a network is one."""
        for address, length in _LENGTH.findall(text):
            try:
                version, value = parse_address(address)
            except ValueError:
                continue
            bits = int(length)
            if _KNOWN_LENGTH <= bits <= BITS[version] and not _is_reserved(version, value):
                self.cut[version] = min(self.cut[version], bits)
                self._has_long |= version == 6 and 64 < bits < 128

    def learn_mac(self, text: str) -> None:
        if _MAC.fullmatch(text) and self.mac(text) != text:
            packed = bytes.fromhex(text.replace(":", ""))
            self._macs[packed] = self.packed_mac(packed)

    # hiding --------------------------------------------------------------------------------------------------------------

    def text(self, text: str, addresses: bool = True) -> str:
        """`addresses`: IP addresses, too; a version number looks like one."""
        if addresses:
            text = _V6.sub(lambda found: self.address(found[0]), text)
            text = _V4.sub(lambda found: self.address(found[0]), text)
        text = _MAC.sub(lambda found: self.mac(found[0]), text)
        text = _ENX.sub(lambda found: "enx" + self.mac(_colons(found[1])).replace(":", ""), text)
        return self._pattern().sub(lambda found: self.names[found[0]], text) if self.names else text

    def _pattern(self) -> re.Pattern[str]:
        if self._words is None:
            longest = sorted(self.names, key=len, reverse=True)
            # %2F: a path as the name of a file; backslash and letter: JSON's
            before, after = r"(?:(?<![A-Za-z0-9])|(?<=%2F)|(?<=\\[tnr]))", r"(?![A-Za-z0-9])"
            self._words = re.compile(f"{before}(?:{'|'.join(map(re.escape, longest))}){after}")
        return self._words

    def mac(self, text: str) -> str:
        """The maker's half stays."""
        packed = bytes.fromhex(re.sub("[:-]", "", text))
        if packed[0] & 1 or not any(packed):  # multicast, or none
            return text
        return self.packed_mac(packed).hex("-" if "-" in text else ":")

    def packed_mac(self, packed: bytes) -> bytes:
        return packed[:3] + bytes.fromhex(self._digest("mac", packed.hex())[:6])

    def packed(self, content: bytes) -> bytes:
        """MACs that were learned, in the kernel's own form."""
        for mac, instead in self._macs.items():
            content = content.replace(mac, instead)
        return content

    def digits(self, content: bytes) -> bytes:
        """As many hex digits, others, with what stands between them."""
        told = iter(self._digest("digits", content.hex()) * 4)
        return re.sub(rb"[0-9a-f]", lambda _: next(told).encode(), content)

    def address(self, text: str) -> str:
        try:
            version, value = parse_address(text)
        except ValueError:
            return text
        if version == 6:
            value = self._interface(value)
        if _is_reserved(version, value):
            return render_address(version, value) if version == 6 else text
        shift = BITS[version] - self.cut[version]
        top = self._top(version, value >> shift)
        return render_address(version, top << shift | value & (1 << shift) - 1)

    def _interface(self, value: int) -> int:
        """The lower half of an IPv6 address: of a MAC (RFC 4291 appendix A), or by chance; small numbers stay."""
        low = value & (1 << 64) - 1
        packed = low.to_bytes(8, "big")
        if packed[3:5] == b"\xff\xfe":
            mac = self.packed_mac(bytes([packed[0] ^ 2]) + packed[1:3] + packed[5:])
            low = int.from_bytes(bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:], "big")
        elif low >> 32 and low & 0xFFFF and not self._has_long:
            low = int(self._digest("interface", packed.hex())[:16], 16)
        return value >> 64 << 64 | low

    def _top(self, version: int, top: int) -> int:
        """Another one for each, none of them reserved."""
        key = version, top
        attempt = 0
        while key not in self._tops:
            bits = self.cut[version]
            new = int(self._digest("top", f"{version} {top} {attempt}")[:16], 16) & (1 << bits) - 1
            lowest = new << BITS[version] - bits
            first = lowest >> BITS[version] - 8
            is_good = not _is_reserved(version, lowest) and (first < 224 if version == 4 else first >= 0x20)
            if is_good and (version, new) not in self._taken and first:
                self._tops[key] = new
                self._taken.add((version, new))
            attempt += 1
        return self._tops[key]

    def _digest(self, kind: str, text: str) -> str:
        return hmac.new(self.salt, f"{kind} {text}".encode("utf-8", "surrogatepass"), "sha256").hexdigest()


def _is_reserved(version: int, value: int) -> bool:
    return any(first <= value <= last for first, last, _, _ in RESERVED[version])


def _colons(digits: str) -> str:
    return ":".join(digits[n : n + 2] for n in range(0, 12, 2))
