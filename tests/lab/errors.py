"""The one error the lab raises when it cannot do its work; a test that meets it is an error, not a pass."""

from __future__ import annotations


class LabError(Exception):
    """What could not be done, and what the guest or tool said about it."""

    def __init__(self, what: str, detail: str = "") -> None:
        super().__init__(f"{what}\n{detail}" if detail else what)
        self.what = what
        self.detail = detail


class CommandFailed(LabError):
    """A command in the guest ended with a status other than 0 although the caller required 0."""


class GuestStalled(LabError):
    """The guest's own fault: a processor of it gets no timer interrupts any more, all of it stands still, or its udevd does."""
