"""Do all, then complain: one attachment's trouble stays its own (rule 17 of the design). The only place that goes on past
any error; what an error of each kind is to the runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from .errors import BadJson, CniError, InputOutput, KernelRefused, TryAgain

REFUSED = (CniError, KernelRefused)  # what acts and faces raise; all else is a bug of ours, or the machine's


class Failures:
    """What failed of many things that are all tried: `with failures.of(vf=vf): ...` goes on past any error, a bug too."""

    __slots__ = ("_event", "_log", "_who", "reasons", "told")

    def __init__(self, log: Callable[..., None] | None = None, event: str = "") -> None:
        """`log` (a Log's method) gets `event`, of what, and the reason, when it happens."""
        self.told: list[str] = []
        self.reasons: list[Exception] = []
        self._log = log
        self._event = event
        self._who: dict[str, object] = {}

    def of(self, **who: object) -> Self:
        self._who = who
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if not isinstance(error, Exception):  # SIGTERM's SystemExit ends the loop as well
            return False
        reason = error if isinstance(error, REFUSED) else as_cni_error(error)
        self.reasons.append(reason)
        self.told.append(": ".join(map(str, [*self._who.values(), reason])))
        if self._log is not None:
            self._log(self._event, **self._who, reason=reason)
        return True


def as_cni_error(error: BaseException) -> CniError:
    if isinstance(error, CniError):
        return error
    if isinstance(error, KernelRefused):
        return CniError(str(error), "the kernel refused; its log (dmesg) may say more", code=5)
    if isinstance(error, SystemExit | KeyboardInterrupt):
        return CniError("stopped by a signal", "DEL gives back what may be left", code=11)
    if isinstance(error, RecursionError):  # what the scanner just took is too deep for repr()
        return BadJson("read configuration: nested too deeply")
    return _of_machine(error) or _bug(error)


def _of_machine(error: BaseException) -> CniError | None:
    """What the machine refused; None if the error is our own."""
    if isinstance(error, OSError):
        return InputOutput(f"use {error.filename or 'a file'}: {error.strerror}")
    if isinstance(error, MemoryError):
        return TryAgain("use memory: there is none", "is there an RLIMIT_AS, or a limit of the cgroup?")
    if isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError):
        return InputOutput(
            f"load a part of cni-sriov: {error}", "is there memory for it, and is it installed?"
        )
    return None


def _bug(error: BaseException) -> CniError:
    """Code 999 names the place in our code, since no traceback may reach stdout."""
    place = "?"
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        place = f"{file.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return CniError(
        f"bug in cni-sriov at {place}: {type(error).__name__}: {error}", "please report it", code=999
    )
