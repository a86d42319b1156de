"""Points at which a process can be killed, or fail, found by strace, and how to kill it there, or make it fail.

A point is the n-th call of one kind that the process makes. strace stops the process on entry to it and continues it
with SIGKILL: the kernel then does not execute the call (a test in test_kill_everywhere.py holds that). So a point is
"before this call", and "after a call" is the point of the next one: in between, nothing happens that anybody else
could see.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

# calls that neither touch a file or socket nor wait for one
SILENT = {
    *(
        "brk",
        "mmap",
        "munmap",
        "mprotect",
        "madvise",
        "exit_group",
        "rt_sigaction",
        "rt_sigprocmask",
        "rt_sigreturn",
    ),
    *(
        "geteuid",
        "getpid",
        "gettid",
        "getrandom",
        "clock_gettime",
        "futex",
        "sched_yield",
        "restart_syscall",
        "fcntl",
    ),
}
CHANGES = {
    *(
        "rename",
        "renameat",
        "renameat2",
        "link",
        "linkat",
        "symlink",
        "symlinkat",
        "unlink",
        "unlinkat",
        "mkdir",
    ),
    *(
        "mkdirat",
        "rmdir",
        "write",
        "pwrite64",
        "writev",
        "ftruncate",
        "truncate",
        "chmod",
        "fchmod",
        "fchmodat",
    ),
    *(
        "chown",
        "fchown",
        "fchownat",
        "utimensat",
        "fsync",
        "fdatasync",
        "flock",
        "sendto",
        "sendmsg",
        "setns",
    ),
    *("ioctl", "bind", "mknod", "mknodat", "kill", "execve", "vfork", "clone", "clone3", "umount2", "mount"),
}
WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
# what strace knows of a call on entry, so that it is the same when the process dies there
KNOWN = re.compile(r'(\w+)\(([^"{,)]*,? ?(?:"(?:[^"\\]|\\.)*"|\[?\[?\{nlmsg_len=\d+, nlmsg_type=[^,]+)?)')
NUMBER = re.compile(r"(?:0x)?[0-9a-f:.-]*\d[0-9a-f:.-]*")
SHORT = ("-s", "48")
AT_EXIT = {"read", "pread64", "recvfrom", "recvmsg", "getdents64", "poll", "fstat"}
BEGINS = re.compile(
    r'"(/run/netns/|/run/cni-sriov|/proc/thread-self/ns/net|/proc/self/ns/net|/proc/[0-9]+/ns/net)|^socket\('
)
FILES = re.compile(r"/proc/sys/|/run/cni-sriov|/var/lib/cni|/sys/bus/pci/")


class Point(NamedTuple):
    call: str
    nth: int  # among all calls of that kind that the process makes, from 1
    line: str  # as strace shows it

    @property
    def changes(self) -> bool:
        """Whether it changes something, holds or asks for a lock, enters a netns, or is a word to the kernel."""
        return self.call in CHANGES or (self.call.startswith("open") and bool(WRITING.search(self.line)))

    @property
    def what(self) -> str:
        """What tells it from another one: the call and its first arguments, without numbers."""
        return signature(self.line)

    def kill(self, log: str) -> tuple[str, ...]:
        """What to put before the command, so that it dies there."""
        inject = f"inject={self.call}:signal=KILL:when={self.nth}"
        return ("strace", *SHORT, "-o", log, "-e", f"trace={self.call}", "-e", inject)

    def fail(self, error: str, log: str) -> tuple[str, ...]:
        """What to put before the command, so that the call is not done, and answers with that errno (a name)."""
        inject = f"inject={self.call}:error={error}:when={self.nth}"
        return ("strace", *SHORT, "-o", log, "-e", f"trace={self.call}", "-e", inject)

    def has_failed_in(self, log: str) -> bool:
        """Whether the call that failed was the one that was meant."""
        failed = [line for line in log.splitlines() if line.endswith("(INJECTED)")]
        return [signature(line) for line in failed] == [self.what]

    def is_last_of(self, log: str) -> bool:
        """Whether a killed run died where it was meant to."""
        lines = log.splitlines()
        return len(lines) > 1 and "killed by SIGKILL" in lines[-1] and signature(lines[-2]) == self.what

    def __str__(self) -> str:
        return f"{self.call} #{self.nth}: {self.line[:150]}"


def watch(log: str) -> tuple[str, ...]:
    """What to put before a command, so that `points` can read what it does."""
    return ("strace", "-f", "--seccomp-bpf", *SHORT, "-e", f"trace=!{','.join(sorted(SILENT))}", "-o", log)


def signature(line: str) -> str:
    found = KNOWN.match(line)
    if found is None:
        return line
    call, rest = found.groups()
    rest = "" if call in AT_EXIT else NUMBER.sub("#", rest)
    rest = rest[:16] if "write" in call else rest
    rest = rest[:4] if call == "pwrite64" else rest  # a bitmap, which leases before this one have changed
    return f"{call}({rest}"


def points(log: str) -> list[Point]:
    """Every file-system, socket and netns call of a whole run, from the first that has to do with the plugin's work."""
    found, counts, begun = [], Counter[str](), False
    lines = [line.partition(" ")[::2] for line in log.splitlines()]
    assert len({pid for pid, _ in lines}) == 1, "it starts processes: count their calls apart"
    for _, text in lines:
        line = text.strip()
        call = line.partition("(")[0]
        if not call.isidentifier() or "= ? ERESTART" in line:
            continue  # the kernel calls itself again while somebody else has RTNL (restart_syscall of disable_ipv6)
        counts[call] += 1
        begun = begun or bool(BEGINS.search(line))
        if begun and call not in SILENT:
            found.append(Point(call, counts[call], line))
    return found


def effects(found: Sequence[Point], files: re.Pattern[str] = FILES) -> list[int]:
    """Indexes of those that change the node or the kernel: netlink changes, sysctls, state files, drivers. With other
    `files`, only what changes these.
    """
    opened: dict[str, str] = {}
    result = []
    for index, point in enumerate(found):
        if point.call.startswith("open"):
            opened[point.line.rpartition("= ")[2]] = point.line
        path = opened.get(point.line.partition("(")[2].partition(",")[0], "") if "write" in point.call else ""
        is_meant = files is FILES and is_netlink_change(point.line)
        if is_meant or (point.changes and files.search(point.line + path)):
            result.append(index)
    return [index for index in result if not is_idle(found[index])]


def is_idle(point: Point) -> bool:
    """It opens what is there already, asks or holds, or failed."""
    opens = point.call.startswith("open") and "O_EXCL" not in point.line
    return opens or point.call in {"flock", "setns", "ioctl", "bind"} or "= -1 " in point.line


def is_netlink_change(line: str) -> bool:
    """strace names no types of a socket in another netns: linux/rtnetlink.h has NEW, DEL, GET, SET from 16 on."""
    kind = re.match(r"send\w+\(.*?nlmsg_type=(?:RTM_(NEW|DEL|GET|SET)|0x([0-9a-f]+))", line)
    if kind is None:
        return False
    return kind[1] != "GET" if kind[1] else int(kind[2], 16) % 4 != 2
