"""How a VPP says no, by the retvals that a real one gave."""

from __future__ import annotations

FAILED, BAD_INDEX, NO_TABLE = -1, -2, -3
NO_NETNS, NO_TAP = -12, -13
NOT_HELD, ID_TAKEN, HAS_ADDRESS = -60, -71, -114
CONFLICT = {4: -105, 6: -127}


class Refused(Exception):
    """With a retval."""

    def __init__(self, retval: int, sentence: str = "") -> None:
        super().__init__(retval, sentence)
        self.retval = retval
        self.sentence = sentence
