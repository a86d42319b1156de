"""Where an attachment comes from, for people (`sriovctl explain`): when its VF was claimed, why that VF, for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

_SEPARATOR = "\t"
_DIGITS = 11  # of a time: until the year 5138, which each way to show it can


@dataclass(slots=True)
class Origin:
    """`since`: seconds since 1970 in UTC, 0 = not known. `namespace`, `name` and `uid` are the pod's, as CNI_ARGS told them.
    `log_file`: where ADD logged, "" = on its standard error.
    """

    since: int = 0
    reason: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    log_file: str = ""

    @property
    def pod(self) -> str:
        """Like default/web; "" if none was named."""
        return f"{self.namespace}/{self.name}" if self.namespace and self.name else self.name

    @classmethod
    def of(cls, text: str) -> Self:
        """Whoever wrote it: what it does not say is not known, and what it says beyond is a later version's."""
        since, *words = text.split(_SEPARATOR)[:6]
        is_time = since.isascii() and since.isdigit() and len(since) <= _DIGITS
        return cls(int(since) if is_time else 0, *words)


def packed(since: int, reason: str, args: dict[str, str], log_file: str) -> str:
    """One string: a Record is written and read several times in a call, and each field of it costs. `args` = CNI_ARGS. What
    is not printable is left out: it must be read again, and by a person.
    """
    words = (
        args.get("K8S_POD_NAMESPACE", ""),
        args.get("K8S_POD_NAME", ""),
        args.get("K8S_POD_UID", ""),
        log_file,
    )
    told = _SEPARATOR.join(words)
    if not told.replace(_SEPARATOR, "").isprintable() or told.count(_SEPARATOR) >= len(words):
        told = _SEPARATOR.join([word if word.isprintable() else "" for word in words])
    return f"{since}{_SEPARATOR}{reason}{_SEPARATOR}{told}".rstrip(_SEPARATOR)
