"""What the product's own loops would log while the doctor looks: what they left out is what he did not see."""

from __future__ import annotations

import copy

from ...vf.host import Host
from ...words.log import Log

_FOUND = {"state file cannot be read"}  # a finding of its own


class Ears(Log):
    """Writes nothing; `heard` has warnings and errors in words, each once."""

    __slots__ = ("heard",)

    def __init__(self) -> None:
        super().__init__("warning")
        self.heard: list[str] = []

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        if level not in {"warning", "error"} or event in _FOUND:
            return
        told = f"{event}: {', '.join(str(value) for value in fields.values())}"
        if told not in self.heard:
            self.heard.append(told)


def listening(host: Host) -> tuple[Host, Ears]:
    """The same host, which tells its log to whoever listens."""
    ears, heard = Ears(), copy.copy(host)
    heard.ledger = copy.copy(host.ledger)
    heard.log = heard.ledger.log = ears
    return heard, ears
