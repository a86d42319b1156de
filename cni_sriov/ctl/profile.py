"""`sriovctl profile CONF`: attach and detach for real, in a netns that ends with this process, and look where it goes.

Whatever happens, each ADD gets its DEL: a stop signal is noted and obeyed between two calls.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any, NoReturn, Self

from ..words import jsontext
from ..words.errors import BadConfig, BadEnvironment, BadJson, CniError, KernelRefused
from . import split, validate

Json = dict[str, Any]

PAUSE_S = 0.06  # what a call left to the kernel (RCU callbacks) must not be paid by the next one
_CLONE_NEWNET = 0x40000000  # linux/sched.h
_CNI_PATH = "/opt/cni/bin:/usr/lib/cni"  # for another IPAM plugin, where the environment has none
_IFNAME = "net1"
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Profile:
    """`verbs`: ADD and DEL, each with its calls in order."""

    network: str
    plugin: str
    verbs: dict[str, list[split.Call]]

    def to_json(self) -> Json:
        verbs = {
            verb: split.middle(calls).to_json() | {"runs": [call.to_json() for call in calls]}
            for verb, calls in self.verbs.items()
        }
        return {"network": self.network, "plugin": self.plugin, "verbs": verbs}


def run(file: str, runs: int, plugin: str) -> Profile:
    """CniError as the plugin gave it, or BadConfig where the file has no plugin of type sriov.

    KeyboardInterrupt after a stop signal, when all is given back.
    """
    conf = conf_of(validate.read(file), file)
    executable = plugin or _beside()
    verbs: dict[str, list[split.Call]] = {"ADD": [], "DEL": []}
    with Stops() as stops, Pod() as pod:
        attachment = Attachment(executable, conf, pod.path)
        for _ in range(runs):
            with attachment:
                verbs["ADD"].append(attachment.call("ADD"))
            verbs["DEL"].append(attachment.deleted)
            if stops.seen:
                break
            time.sleep(PAUSE_S)
    if stops.seen:
        raise KeyboardInterrupt
    return Profile(str(conf.get("name", "")), executable, verbs)


def conf_of(document: Json, file: str) -> Json:
    """The first plugin of type sriov as the runtime would hand it over; of a chain, only that one is measured."""
    for plugin in validate.plugins(document):
        if plugin.is_sriov:
            return plugin.conf
    raise BadConfig(
        f"profile {file}: it has no plugin of type sriov",
        f"`sriovctl validate {shlex.quote(file)}` judges it",
    )


def beside() -> str:
    """Where `sriov` of the same bundle would be."""
    here = sys.executable if getattr(sys, "frozen", False) else sys.argv[0]
    return os.path.join(os.path.dirname(os.path.realpath(here)), "sriov")


def _beside() -> str:
    path = beside()
    if not os.access(path, os.X_OK):
        raise BadEnvironment(f"find the plugin: {path} is not there", "say where it is with --plugin PATH")
    return path


# one attachment ------------------------------------------------------------------------------------------------------


class Attachment:
    """`with attachment:` do its ADD in there; its DEL follows, also where that failed, as runtimes do it."""

    deleted: split.Call

    def __init__(self, executable: str, conf: Json, netns: str) -> None:
        self._executable = executable
        self._conf = jsontext.render(conf).encode("utf-8", "surrogateescape")
        self._env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "CNI_PATH": os.environ.get("CNI_PATH", _CNI_PATH),
            "CNI_CONTAINERID": f"sriovctl-profile-{os.getpid()}",
            "CNI_IFNAME": _IFNAME,
            "CNI_NETNS": netns,
            "CNI_SRIOV_TIMES": "1",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            self.deleted = self.call("DEL")
        except CniError as second:
            if not isinstance(error, CniError):
                raise
            error.details = "; ".join(filter(None, [error.details, f"and its DEL failed: {second.msg}"]))

    def call(self, verb: str) -> split.Call:
        """CniError is the plugin's own."""
        stdin, stdout, stderr = (os.memfd_create(name) for name in ("stdin", "stdout", "stderr"))
        try:
            os.pwrite(stdin, self._conf, 0)
            files = [(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate((stdin, stdout, stderr))]
            status, spawned, reaped = self._spawn(verb, files)
            return _judge(self._executable, status, _text(stdout), _text(stderr), spawned, reaped)
        finally:
            for fd in (stdin, stdout, stderr):
                os.close(fd)

    def _spawn(self, verb: str, files: Any) -> tuple[int, int, int]:
        env = self._env | {"CNI_COMMAND": verb}
        spawned = time.monotonic_ns()
        try:
            # a process group of its own: a Ctrl-C is for us, and we end when the call has ended
            pid = os.posix_spawn(self._executable, [self._executable], env, file_actions=files, setpgroup=0)
        except OSError as error:
            raise BadEnvironment(f"start {self._executable}: {error.strerror}") from error
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), spawned, time.monotonic_ns()


def _text(fd: int) -> str:
    return os.pread(fd, os.fstat(fd).st_size, 0).decode("utf-8", "surrogateescape")


def _judge(executable: str, status: int, out: str, err: str, spawned: int, reaped: int) -> split.Call:
    if status:
        raise _refused(executable, status, out)
    said = split.told(err)
    if said is None:
        raise BadEnvironment(
            f"profile by {executable}: it told no times", "it is another plugin, or an older cni-sriov"
        )
    return split.split(said, spawned, reaped)


def _refused(executable: str, status: int, out: str) -> CniError:
    try:
        told = jsontext.parse_object(out)
        return CniError(str(told["msg"]), str(told.get("details", "")), int(told["code"]))
    except (BadJson, KeyError, ValueError):
        return CniError(
            f"run {executable}: it ended with status {status} and said {jsontext.words(out)}", code=5
        )


# its surroundings ----------------------------------------------------------------------------------------------------


class Pod:
    """A netns that has no name and no mount: a child process is in it, and ends with us, even if we are killed."""

    path: str

    def __enter__(self) -> Self:
        ready, tell = os.pipe()
        end, self._alive = os.pipe()
        self._child = os.fork()
        if not self._child:
            os.close(ready)
            os.close(self._alive)
            _live_in_a_netns(tell, end)
        os.close(tell)
        os.close(end)
        said = os.read(ready, 16)
        os.close(ready)
        self.path = f"/proc/{self._child}/ns/net"
        if said != b"0":
            self.__exit__()
            raise KernelRefused("make a network namespace", int(said or b"0"))
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._alive)
        os.waitpid(self._child, 0)


def _live_in_a_netns(tell: int, end: int) -> NoReturn:
    """In the child: tell the errno, 0 = it is made; then live until nobody has the other end of the pipe."""
    try:
        import ctypes

        for number in _STOPS:
            signal.signal(number, signal.SIG_IGN)
        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.unshare(_CLONE_NEWNET)
        os.write(tell, str(ctypes.get_errno() if failed else 0).encode())
        os.read(end, 1)
    finally:
        os._exit(0)


class Stops:
    """`seen`: the operator wants to stop. Signals are noted, so none can come between an ADD and its DEL."""

    seen = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in _STOPS}
        return self

    def _note(self, *_: object) -> None:
        self.seen = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)
