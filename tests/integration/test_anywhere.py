"""Where a runtime may start the bundle: narrow limits, other layouts of memory, a filter of system calls, an empty root.

A whole ADD and DEL each, on the machine's own kernel (rig.py).
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import bundle
from tests.integration.rig import Call, Rig, call, conf

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.root, pytest.mark.bundle]
POD = "/run/netns/pod"
MB = 1 << 20
only_a_snapshot = pytest.mark.skipif(not bundle.is_snapshot(), reason="built with SNAPSHOT=no")


def attach_and_detach(rig: Rig, before: Callable[[], object], *argv: str) -> None:
    """`before` runs in the child, `argv` in front of the plugin."""
    links = rig.links()
    for verb in ("ADD", "DEL"):
        asked = call(verb, "narrow", POD, conf(mtu=1400), (*argv, str(bundle.sriov())))
        done = rig.inside(run, asked, before)
        assert done.returncode == 0, (verb, done)
    assert (rig.links(), rig.leftovers()) == (links, [])


def run(asked: Call, before: Callable[[], object]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        asked.argv, env=asked.env, input=asked.stdin, capture_output=True, timeout=30, preexec_fn=before
    )


def limit(what: int, number: int) -> Callable[[], object]:
    return lambda: resource.setrlimit(what, (number, number))


@only_a_snapshot
@pytest.mark.parametrize(
    ("what", "number"),
    [(resource.RLIMIT_AS, 16 * MB), (resource.RLIMIT_NOFILE, 16), (resource.RLIMIT_STACK, 256 << 10)],
)
def test_narrow_limits(rig: Rig, what: int, number: int) -> None:
    attach_and_detach(rig, limit(what, number))


@pytest.mark.parametrize("argv", [("setarch", "-R"), ("setarch", "-L"), ("prlimit", "--stack=unlimited")])
def test_other_layouts_of_memory(rig: Rig, argv: tuple[str, ...]) -> None:
    attach_and_detach(rig, lambda: None, *argv)


# Of x86-64 and in none of the lists of containerd's default profile (contrib/seccomp/seccomp_default.go): keys, bpf,
# modules, time, ports, swap, kexec, other processes' memory, userfaultfd, io_uring.
FORBIDDEN = [
    *(
        101,
        103,
        153,
        154,
        155,
        156,
        159,
        163,
        164,
        165,
        166,
        167,
        168,
        169,
        172,
        173,
        174,
        175,
        176,
        177,
        178,
        179,
    ),
    *(
        180,
        212,
        227,
        237,
        238,
        239,
        246,
        248,
        249,
        250,
        256,
        279,
        298,
        304,
        305,
        310,
        311,
        312,
        313,
        320,
        321,
        323,
    ),
    *(425, 426, 427),
]
ALLOWED_BY_ADMIN = {
    165,
    166,
    304,
}  # mount, umount2, open_by_handle_at: with CAP_SYS_ADMIN, which a plugin has
LOAD_NUMBER, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K, linux/bpf_common.h
ALLOW, REFUSE = 0x7FFF0000, 0x00050001  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO|EPERM, linux/seccomp.h
SET_SECCOMP, FILTER = 22, 2  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def forbid() -> None:
    """In the child: a filter in BPF, struct sock_filter {code, jump true, jump false, k} each."""
    numbers = sorted(set(FORBIDDEN) - ALLOWED_BY_ADMIN)
    steps = [(LOAD_NUMBER, 0, 0, 0)]
    steps += [(EQUAL, len(numbers) - index, 0, number) for index, number in enumerate(numbers)]
    steps += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    head = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(program)))
    if ctypes.CDLL(None, use_errno=True).prctl(SET_SECCOMP, FILTER, head, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def test_under_a_filter_of_system_calls_like_containerds_default(rig: Rig) -> None:
    attach_and_detach(rig, forbid)


def test_the_filter_is_one() -> None:
    code = "import ctypes; libc = ctypes.CDLL(None, use_errno=True); print(libc.syscall(321, 0, 0, 0), ctypes.get_errno())"
    refused = subprocess.run(
        ["/usr/bin/python3", "-c", code], capture_output=True, text=True, preexec_fn=forbid
    )
    assert refused.stdout == "-1 1\n"


@only_a_snapshot
@pytest.mark.parametrize("given", ["", *filter(None, os.environ.get("CNI_SRIOV_ROOTS", "").split(":"))])
def test_a_root_that_holds_the_file_and_proc_and_sys_and_nothing_else(
    rig: Rig, tmp_path: Path, given: str
) -> None:
    """No libc, no loader, no locale, no /tmp, no /dev, no /etc; what it needs to keep it makes.

    And in the roots of other distributions that CNI_SRIOV_ROOTS names (docs/testing.md).
    """
    root = Path(given) if given else tmp_path / "root"
    for name in ("proc", "sys"):
        (root / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(bundle.sriov(), root / "sriov")
    enter = f"mount --rbind /proc {root}/proc && mount --rbind /sys {root}/sys && exec chroot {root} /sriov"
    argv = ("unshare", "--mount", "sh", "-c", enter)
    holder = rig.inside(subprocess.Popen, ["ip", "netns", "exec", "pod", "sleep", "60"])
    links = rig.links()
    try:
        netns = f"/proc/{holder.pid}/ns/net"
        added = rig.answer(call("ADD", "rooted", netns, conf(), argv))
        checked = rig.answer(call("CHECK", "rooted", netns, conf(prevResult=added[1]), argv))
        deleted = rig.answer(call("DEL", "rooted", netns, conf(), argv))
    finally:
        holder.kill()
        holder.wait()

    assert (added[0], checked, deleted) == (0, (0, None), (0, None)), added
    assert rig.links() == links
    if not given:
        assert sorted(path.name for path in root.iterdir()) == ["proc", "run", "sriov", "sys", "var"]
