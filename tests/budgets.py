"""What one call of the bundle costs, in numbers that do not depend on how busy the machine is, and what it may cost.

User-mode instructions, counted by valgrind, and what a call asks of the kernel, read from strace: neither asks the
product. tests/budgets.json has what was recorded, tests/integration/test_budgets.py compares, and `make budgets`
(`python -m tests.budgets`) records anew and prints what has changed. The calls are those of one attachment in the rig
on a node that has had another one before, so nothing is made for the first time.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pyroute2.netlink.rtnl import RTM_VALUES

from tests import bundle, podman
from tests.integration.rig import Call, Rig, call, conf, plugin_call, vf_pci

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDED = Path(__file__).with_name("budgets.json")
RECORD = "`make budgets` records anew; commit tests/budgets.json with the change that is the reason"
VERBS = ("VERSION", "ADD", "CHECK", "DEL", "setup", "teardown")  # the last two are podman 5's
# Random hashes alone move a count by 0.2 % (five runs of each verb); another point release of Python or glibc by more.
SLACK = 0.05
# A static program that does nothing has 20 000, a snapshot that wakes and writes a word 100 000: with less, valgrind has
# lost the process, at an exec or altogether.
LEAST = 100_000
SAME = 0.005  # a recorded number is kept if the new one is no further away, so that recording changes only what changed

# Everything that rtnetlink serves under RTNL in some kernel since 5.4, and in a burst each one queues behind the others'
# moves. rtnetlink_rcv_msg (net/core/rtnetlink.c) takes it unless the handler is registered with RTNL_FLAG_DOIT_UNLOCKED:
# of what a CNI plugin may ask, only one route is (net/ipv4/route.c, net/ipv6/route.c). RTM_GETLINK is not. Dumps of
# IPv4 and IPv6 addresses and IPv4 routes are free of it from 6.9 on (RTNL_FLAG_DUMP_UNLOCKED in net/ipv4/devinet.c,
# net/ipv6/addrconf.c, net/ipv4/fib_frontend.c), but 6.1 and 6.6 are maintained and are not.
WITHOUT_RTNL = {"RTM_GETROUTE"}

MESSAGE = re.compile(
    r"nlmsg_len=(\d+), nlmsg_type=(\w+)(?: /\*.*?\*/)?, nlmsg_flags=([\w|]+), nlmsg_seq=\d+, nlmsg_pid=\d+\},? ?"
)
NLM_F_DUMP = 0x300  # linux/netlink.h
SENDING = ("sendto", "sendmsg", "sendmmsg", "write", "writev", "pwrite64", "pwritev", "splice", "sendfile")
SYNCING = ("fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync")
WATCHED = ("socket", "socketpair", "setns", "open", "openat", "execve", *SENDING, *SYNCING)

UNHEARD = ("sh", "-c", 'exec "$0" "$@" 2>/dev/null')  # the call's log would be between our lines

Costs = dict[str, int]


class Uncountable(Exception):
    """A tool's output is not what this file can read: nothing may pass because nothing was counted."""


class Trace(NamedTuple):
    """What strace saw of one call."""

    requests: list[tuple[str, str]]  # name, the rest of the message
    setns: list[str]
    fsync: list[str]
    opened: set[Path]

    @property
    def costs(self) -> Costs:
        names = [name for name, _ in self.requests]
        under_rtnl = [name for name in names if name not in WITHOUT_RTNL]
        totals = {"requests": len(names), "under RTNL": len(under_rtnl)}
        return totals | {"setns": len(self.setns), "fsync": len(self.fsync)} | Counter(sorted(names))

    def __str__(self) -> str:
        lines = [
            f"{number:2} {name:18} {brief(rest)}" for number, (name, rest) in enumerate(self.requests, 1)
        ]
        return "\n".join(f"  {line}" for line in [*lines, *self.setns, *self.fsync])


def brief(rest: str) -> str:
    """What tells one request from another: no zeros, no lengths. A socket in another netns has bytes only."""
    if found := re.match(r'"((?:\\x..)*)"', rest):
        letters = bytes.fromhex(found[1].replace("\\x", "")).decode("latin-1")
        return "in another netns: " + "".join(c if " " < c < "~" else "." for c in letters)
    text = re.sub(r"\], \d+, \w+, .*|nla_len=\d+, nla_type=", "", rest)  # the call's other arguments; lengths
    text = re.sub(r"\w+=(?:0|\w*_UNSPEC|ARPHRD_NETROM|RT_SCOPE_UNIVERSE)\b", "", text)
    return " ".join(part for part in re.split(r"[\s,{}\[\]]+", text) if part)


# counting ------------------------------------------------------------------------------------------------------------


def count_instructions(home: Path) -> Costs:
    """By verb; of the call's whole tree of processes, before and after each execve."""
    found = {}
    for verb in VERBS:
        (home / verb).mkdir()

    def under_callgrind(verb: str) -> tuple[str, ...]:
        # An exec throws away what was counted so far, and the bundle's bootloader execs itself: hence the dump.
        options = ("--tool=callgrind", "--trace-children=yes", "--dump-before=execv*", "--vgdb=no")
        files = (f"--log-file={home}/{verb}.log.%p", f"--callgrind-out-file={home}/{verb}/%p")
        return ("valgrind", *options, *files)

    _attach(under_callgrind)
    for verb in VERBS:
        totals = {path: _total(path) for path in (home / verb).iterdir()}
        ours = [total for path, total in totals.items() if _is_ours(path.read_text())]
        if not ours or sum(ours) < LEAST:
            raise Uncountable(
                f"{verb}: valgrind counted {ours} instructions of the bundle, {list(totals.values())} at all"
            )
        found[verb] = sum(totals.values())
    return found


def _is_ours(text: str) -> bool:
    """With arguments, or without."""
    return re.search(rf"^cmd:  {re.escape(str(bundle.sriov()))}[ \n]", text, re.MULTILINE) is not None


def _total(path: Path) -> int:
    found = re.search(r"^totals: (\d+)$", path.read_text(), re.MULTILINE)
    if found is None:
        raise Uncountable(f"{path}: no totals")
    return int(found[1])


def under_strace(log: Path) -> tuple[str, ...]:
    """What to put before a command, so that `read` can tell what it asked."""
    watched = f"trace={','.join(WATCHED)}"
    return ("strace", "-f", "-y", "--seccomp-bpf", "-s", "64", "-e", watched, "-o", str(log))


def trace(home: Path) -> dict[str, Trace]:
    """By verb."""
    _attach(lambda verb: under_strace(home / f"{verb}.strace"))
    return {verb: read((home / f"{verb}.strace").read_text()) for verb in VERBS}


def read(log: str) -> Trace:
    """Of a log with `-f -y`: "pid call(3<socket:[7]>, ...) = 0"."""
    found = Trace([], [], [], set())
    sockets = set()
    for line in log.splitlines():
        text = line.partition(" ")[2].strip()
        name, _, rest = text.partition("(")
        if "<unfinished ...>" in text or " resumed>" in text:
            raise Uncountable(f"it has threads or children, and their calls are mixed: {line}")
        if name == "socket" and rest.startswith("AF_NETLINK"):
            if "NETLINK_ROUTE)" not in rest:
                raise Uncountable(f"another family than rtnetlink: {line}")
            sockets.add(text.rpartition("= ")[2])
        elif name in SENDING and rest.partition(",")[0] in sockets:
            found.requests.extend(_requests(rest, line))
        elif name == "setns":
            found.setns.append(text)
        elif name in SYNCING:
            found.fsync.append(text)
        elif name.startswith("open") and (path := re.search(r"= \d+<(.*)>$", text)):
            found.opened.add(Path(path[1]))
    return found


def _requests(rest: str, line: str) -> list[tuple[str, str]]:
    """Name and rest of each message in one call; strace knows no names for a socket in another netns."""
    parts = MESSAGE.split(rest)[1:]
    messages = list(zip(parts[0::4], parts[1::4], parts[2::4], parts[3::4], strict=True))
    sent = sum((int(size) + 3) & ~3 for size, *_ in messages)  # NLMSG_ALIGN
    if not messages or sent - int(rest.rpartition("= ")[2].split()[0]) not in range(4):
        raise Uncountable(f"no message of rtnetlink, or not all of them: {line}")
    return [(_name(kind, flags), tail) for _, kind, flags, tail in messages]


def _name(kind: str, flags: str) -> str:
    name = RTM_VALUES[int(kind, 16)] if kind.startswith("0x") else kind
    bits = sum(int(flag, 16) for flag in flags.split("|") if flag.startswith("0x"))
    return f"{name} dump" if "NLM_F_DUMP" in flags.split("|") or bits & NLM_F_DUMP == NLM_F_DUMP else name


def _attach(under: Callable[[str], tuple[str, ...]]) -> None:
    """Every verb once, each below the tool that `under` gives for it."""
    mine = conf(deviceID=vf_pci(1))
    with Rig(vfs=4) as rig:
        pod = rig.add_pod("budget")

        def answer(verb: str, tool: tuple[str, ...], plain: Call) -> Any:
            status, document = rig.answer(plain._replace(argv=(*UNHEARD, *tool, *plain.argv)))
            if status:
                raise Uncountable(f"{verb} failed: {document}")
            return document

        def cni(verb: str, tool: tuple[str, ...], **more: Any) -> Any:
            return answer(verb, tool, call(verb, "budget", pod, mine | more))

        cni("ADD", ())
        cni("DEL", ())
        cni("VERSION", under("VERSION"))
        added = cni("ADD", under("ADD"))
        cni("CHECK", under("CHECK"), prevResult=added)
        cni("DEL", under("DEL"))
        network = _network(answer)
        told = podman.exec_call(network, "budget", "net1")
        given = answer("setup", under("setup"), plugin_call("setup", told, pod))
        answer("teardown", under("teardown"), plugin_call("teardown", told, pod))
        if rig.leftovers() or not added["ips"] or not given["interfaces"]["net1"]["subnets"]:
            raise Uncountable(f"that was no whole attachment: {added}, {given}, {rig.leftovers()}")


def _network(answer: Callable[[str, tuple[str, ...], Call], Any]) -> dict[str, Any]:
    """podman's, of the same conf."""
    options = {"deviceID": vf_pci(1), "prefixLength": "29"}
    asked = podman.asked_network("rig", options, subnets=[{"subnet": "10.20.0.0/16"}])
    return podman.kept_network(answer("create", (), plugin_call("create", asked)))


# what is recorded ----------------------------------------------------------------------------------------------------


def platform() -> str:
    """The key of a budget of instructions: they are of this interpreter's byte code and this machine's code."""
    how = "" if bundle.is_snapshot() else ", PyInstaller"
    return f"cpython {sys.version_info[0]}.{sys.version_info[1]} {os.uname().machine}{how}"


def recorded() -> dict[str, dict[str, Costs]]:
    """{"kernel": {verb: costs}, platform(): {verb: {"instructions": n}}, ...}"""
    found: dict[str, dict[str, Costs]] = json.loads(RECORDED.read_text())
    return found


def instructions_for(verb: str) -> int | None:
    """None for an interpreter that nobody has recorded, or not with that verb."""
    known = recorded().get(platform(), {})
    return known[verb]["instructions"] if verb in known else None


def differences(old: Costs, new: Costs) -> list[str]:
    """One line for each number that is another one now; a name that is missing counts as 0."""
    names = dict.fromkeys([*old, *new])
    return [
        line(name, old.get(name, 0), new.get(name, 0))
        for name in names
        if old.get(name, 0) != new.get(name, 0)
    ]


def line(name: str, old: int, new: int) -> str:
    percent = f"  {100 * (new - old) / old:+.1f} %" if old and name == "instructions" else ""
    return f"{name:18} {old:>12,} -> {new:>12,}{percent}"


def main() -> int:
    """Record, and print what has changed; the exit status."""
    if os.geteuid():
        print("budgets: it needs root (network namespaces)", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as home:
        counted = count_instructions(Path(home))
        traces = trace(Path(home))
    old = recorded() if RECORDED.exists() else {}
    new = {verb: {"instructions": round(count, -4)} for verb, count in counted.items()}
    for verb, costs in old.get(platform(), {}).items():
        if abs(new[verb]["instructions"] / costs["instructions"] - 1) < SAME:
            new[verb] = costs
    found = old | {"kernel": {verb: seen.costs for verb, seen in traces.items()}, platform(): new}
    changed = [
        f"  {section:22} {verb:8} {text}"
        for section in ("kernel", platform())
        for verb in VERBS
        for text in differences(old.get(section, {}).get(verb, {}), found[section][verb])
    ]
    print("\n".join(changed) or "  budgets    nothing has changed")
    RECORDED.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
