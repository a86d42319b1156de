"""What an engine does: it keeps what the nodes of a cluster agree on, and each of its changes is one comparison and one
write.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ...words.cluster import Definition, Holder, NodeRecord
from ...words.errors import TryAgain
from ...words.inet import Prefix


class EngineAway(TryAgain):
    """No endpoint answered in time: what was asked may have been done, or not. `details`: which one said what, one a line."""


class EngineRefused(TryAgain):
    """It answered, and will not do it until somebody changes something: a certificate, a password, a right, a value that
    stands there.
    """


class Redefined(Exception):
    """A claim, behind which the definitions are others than those that it goes by. The block may be the holder's by now."""


class Engine(Protocol):
    """All its calls share one deadline; any of them may raise EngineAway or EngineRefused.

    A `version` is what was there when it was read, "" = nothing: who writes with it changes nothing if it is another by now.
    """

    def claim(self, block: Prefix, holder: Holder, definitions: str | None = None) -> Holder:
        """It is the holder's if nobody has it. Who has it now; the caller compares fingerprints. Redefined where it is the
        holder's, or nobody's, and the version of the `definitions` is another; None = they do not matter.
        """

    def holder(self, block: Prefix) -> Holder | None: ...

    def holders(self, blocks: Iterable[Prefix]) -> dict[Prefix, Holder]:
        """Of several at once; those that nobody has are not in it."""

    def taken(self, pool: Prefix) -> set[Prefix]:
        """The blocks in it that somebody has."""

    def blocks(self) -> dict[Prefix, Holder]: ...

    def give_back(self, block: Prefix, fingerprint: str) -> Holder | None:
        """None = nobody has it any more. Another's is left alone, and that is who has it."""

    def definitions(self) -> tuple[list[Definition], str]:
        """And their version."""

    def define(self, definitions: list[Definition], version: str) -> bool: ...

    def node(self, fingerprint: str) -> tuple[NodeRecord | None, str]:
        """And its version."""

    def put_node(self, record: NodeRecord, version: str) -> bool: ...

    def nodes(self) -> list[NodeRecord]: ...

    def forget_node(self, fingerprint: str, dry_run: bool = False) -> None:
        """`dry_run`: EngineRefused where it would not be done, as far as the engine tells beforehand."""

    def is_dead(self, record: NodeRecord, /) -> bool | None:
        """Whether the node is known to be no more; None = nobody knows."""

    def uid(self) -> str:
        """Of what the engine knows this node by, "" = nothing."""
