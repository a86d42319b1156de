"""A second opinion on what the node holds: ledger against leases against kernel, written from docs/state.md.

It reads files and `ip -j`, and calls nothing of the product. Each finding is a sentence; no finding, no fault.
`look` runs where the state is: in a rig by `rig.inside(look, ...)`, in a guest by the text of `program`.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
from ipaddress import ip_network
from itertools import pairwise
from typing import Any

RUN, RECORDS, DATA = "/run/cni-sriov", "/var/lib/cni/sriov", "/var/lib/cni/host-subnet"
DEVICE_INFO = "/run/k8s.cni.cncf.io"
CDI = "/run/cdi/cni-sriov.dev-vf_"
CLAIMS, LOCKS, SUBNETS = f"{RUN}/claims/", f"{RUN}/locks/", f"{RUN}/subnets/"
# what moves by itself, and permaddr: igbvf keeps there whatever its last reset was told
MOVING = {
    *(
        "ifindex",
        "operstate",
        "qdisc",
        "txqlen",
        "addrgenmode",
        "stats",
        "stats64",
        "allmulti",
        "promiscuity",
    ),
    *("inet6_addr_gen_mode", "permaddr"),
}
Facts = dict[str, Any]
Owner = str  # <container>@<interface>


def look(pods: list[str]) -> Facts:
    """All state files, and the links of the host and of these netns (paths below /run/netns)."""
    files = {}
    for top in ("/run/cni-sriov", "/run/k8s.cni.cncf.io", "/run/cdi", "/var/lib/cni"):
        for directory, below, names in os.walk(top):
            for name in names + below:
                path = f"{directory}/{name}"
                if os.path.islink(path):
                    files[path] = {"inode": 0, "text": os.readlink(path)}
                elif not os.path.isdir(path):
                    with open(path, "rb") as file:
                        files[path] = {"inode": os.stat(path).st_ino, "text": file.read().decode("latin-1")}

    def links(where: list[str]) -> Any:
        done = subprocess.run(["ip", *where, "-j", "-d", "link"], stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout.decode("utf-8", "replace") or "[]")

    drivers = {}
    devices = "/sys/bus/pci/devices"
    for address in os.listdir(devices) if os.path.isdir(devices) else []:
        try:
            with open(f"{devices}/{address}/driver_override") as said:
                override = said.read().strip()
            bound = os.path.realpath(f"{devices}/{address}/driver").rpartition("/")[2]
        except OSError:  # it went just now
            continue
        drivers[address] = f"{bound}, override {override}"
    there = [pod for pod in pods if os.path.exists(pod)]
    with open("/proc/sys/kernel/random/boot_id", "rb") as file:
        boot = file.read().decode().strip()
    inside = {pod: links(["-n", pod.rpartition("/")[2]]) for pod in there}
    return {"files": files, "host": links([]), "pods": inside, "boot": boot, "drivers": drivers}


def program(pods: list[str]) -> str:
    """A Python program that prints what `look` finds."""
    return (
        "from __future__ import annotations\nimport json, os, subprocess\nfrom typing import Any\nFacts = Any\n"
        f"{inspect.getsource(look)}\nprint(json.dumps(look({pods!r})))\n"
    )


# what the files say ---------------------------------------------------------------------------------------------------


def identity(link: dict[str, Any]) -> str:
    """The PCI address; where a link has none (veth), its MAC."""
    return str(link.get("parentdev") or link["address"])


def vfs_and_pfs(links: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {identity(link): link for link in links if link["ifname"] != "lo"}


def in_pods(now: Facts) -> dict[str, tuple[str, dict[str, Any]]]:
    """Who is in a pod, and in which."""
    return {
        who: (pod, link) for pod, links in now["pods"].items() for who, link in vfs_and_pfs(links).items()
    }


def below(now: Facts, top: str) -> dict[str, str]:
    """Name -> text of the files in a directory, but for temporary and set-aside ones."""
    found = {
        path.removeprefix(top): file["text"] for path, file in now["files"].items() if path.startswith(top)
    }
    return {name: text for name, text in found.items() if "/" not in name and not is_aside(name)}


def is_aside(name: str) -> bool:
    return name.startswith(".") or name.endswith((".tmp", ".damaged"))


def parsed(files: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What cannot be parsed is {}: it then lacks all that is asked of it."""
    found = {}
    for name, text in files.items():
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = {}
    return found


def claims(now: Facts) -> dict[str, dict[str, Any]]:
    """<PF>+<VF> -> the Record in it."""
    return parsed(below(now, CLAIMS))


def records(now: Facts) -> dict[Owner, dict[str, Any]]:
    return parsed({name: text for name, text in below(now, RECORDS + "/").items() if "@" in name})


def owner_of(record: dict[str, Any]) -> Owner:
    who = record.get("attachment") or {}
    return f"{who.get('container_id')}@{who.get('ifname')}"


def shelf(now: Facts, part: str) -> dict[str, tuple[str, int]]:
    """owners or leases of this boot, all data directories and scopes: path -> (name, inode)."""
    middle = f"/{now['boot']}/{part}/"
    found = {p: (p.rpartition("/")[2], f["inode"]) for p, f in now["files"].items() if middle in p}
    return {path: entry for path, entry in found.items() if not is_aside(entry[0])}


def subnets(now: Facts) -> dict[str, Any]:
    """Lease file -> its subnet."""
    return {path: ip_network(name.replace("_", "/")) for path, (name, _) in shelf(now, "leases").items()}


# the judgements -------------------------------------------------------------------------------------------------------


def missing(before: Facts, now: Facts, live: dict[Owner, str]) -> list[str]:
    """What is gone that must be there; true at any moment for `live` (owner -> netns), all that is attached."""
    host, pods, claimed = vfs_and_pfs(now["host"]), in_pods(now), claims(now)
    found = []
    for who, link in vfs_and_pfs(before["host"]).items():
        name = link["ifname"]
        if who in host or any(claim.get("plane") and claim.get("vf") == who for claim in claimed.values()):
            continue
        if who not in pods:
            found.append(f"{name} is neither in the host nor in a pod")
        elif not any(claim.get("netns") == pods[who][0] for claim in claimed.values()):
            found.append(f"{name} is in {pods[who][0]}, and no claim says so")
    held, owners = records(now), {name for name, _ in shelf(now, "owners").values()}
    for owner, netns in live.items():
        ifname = owner.rpartition("@")[2]
        told = held.get(owner, {}).get("device_info")
        if told and told not in now["files"]:
            found.append(f"{owner} has lost its device information {told}")
        if held.get(owner, {}).get("status") != "done":
            found.append(f"{owner} has no finished Record")
        if owner not in {owner_of(claim) for claim in claimed.values()}:
            found.append(f"{owner} has no claim")
        if ifname not in {link["ifname"] for pod, link in pods.values() if pod == netns}:
            found.append(f"{owner} has no {ifname} in {netns}")
        if held.get(owner, {}).get("ipam") and owner not in owners:
            found.append(f"{owner} has no leases")
        said = [lease["subnet"] for lease in held.get(owner, {}).get("leases", [])]
        lost = [subnet for subnet in said if ip_network(subnet) not in subnets(now).values()]
        found += [f"{owner} has lost its lease {subnet}" for subnet in lost]
    return found


def doubled(now: Facts) -> list[str]:
    """What two have that only one may have; true at any moment."""
    found = []
    names = sorted(claims(now))
    for kind, of in (
        ("VF", [n.partition("+")[2] for n in names]),
        ("attachment", [owner_of(c) for c in claims(now).values()]),
    ):
        found += [
            f"{kind} {one} is claimed twice"
            for one in sorted(set(of))
            if of.count(one) > 1 and "None" not in one
        ]
    leased = sorted(subnets(now).items(), key=lambda entry: (scope_of(entry[0]), entry[1].version, entry[1]))
    for (path, low), (other, high) in pairwise(leased):
        if scope_of(path) == scope_of(other) and low.version == high.version and low.overlaps(high):
            found.append(f"{path} overlaps {other}")
    return found


def scope_of(lease: str) -> str:
    """<dataDir>/<scope>/<boot id>/leases/<lease>"""
    return lease.split("/")[-4]


def unfinished(now: Facts) -> list[str]:
    """What a killed call leaves for whoever comes next, its own DEL or another's ADD: of bounded number, one a name."""
    page = now["files"].get(f"{SUBNETS}lock", {"text": ""})["text"]
    found = (
        [f"a change of leases is pending: {page[516:].rstrip(chr(0))!r}"] if page[512:516].strip("\0") else []
    )
    return found + [f"{path} is left" for path in sorted(now["files"]) if is_bounded(path)]


def is_bounded(path: str) -> bool:
    """A temporary file whose name does not depend on the attachment: the next writer takes it away."""
    directory, _, name = path.rpartition("/")
    return (directory.endswith(("/owners", "/subnets")) and name.endswith(".tmp")) or path.startswith(
        (f"{CLAIMS}.tmp-", f"{RUN}/golden/.tmp-", "/run/cdi/.tmp-")
    )


def is_for_user_space(now: Facts, spec: str) -> bool:
    """Whether the VF of a CDI specification has a driver by which a container can have it."""
    driver = now["drivers"].get(spec.removeprefix(CDI).removesuffix(".json"), "")
    return bool(driver.startswith(("vfio-pci,", "uio_pci_generic,", "igb_uio,")))


def stale(now: Facts, live: dict[Owner, str]) -> list[str]:
    """What is there for nobody, once no call is under way."""
    stray = [path for path in sorted(now["files"]) if is_stray(path, set(live)) and not is_bounded(path)]
    known = {record.get("device_info") for owner, record in records(now).items() if owner in live}
    stray += [path for path in sorted(now["files"]) if path.startswith(DEVICE_INFO) and path not in known]
    stray += [
        path for path in sorted(now["files"]) if path.startswith(CDI) and not is_for_user_space(now, path)
    ]
    found = [f"{path} is left" for path in dict.fromkeys(stray)]
    inodes = {inode: name for name, inode in shelf(now, "owners").values()}
    for path, (_, inode) in shelf(now, "leases").items():
        if inodes.get(inode) not in live:
            found.append(f"{path} is leased to nobody that is attached")
    for name, claim in claims(now).items():
        if owner_of(claim) not in live:
            found.append(f"claim {name} is of {owner_of(claim)}, who is not attached")
    for pod, links in now["pods"].items():
        allowed = {owner.rpartition("@")[2] for owner, netns in live.items() if netns == pod}
        found += [
            f"{link['ifname']} is left in {pod}" for link in links if link["ifname"] not in {"lo", *allowed}
        ]
    return found if unfinished(now) else found + index_faults(now)


def is_stray(path: str, live: set[Owner]) -> bool:
    """Temporary and set-aside files, and what stands for an attachment that is not there."""
    directory, _, name = path.rpartition("/")
    if is_aside(name):
        return True
    owners = directory.endswith("/owners") and "/sticky/" not in path
    if owners or directory in {f"{RUN}/locks", RECORDS}:
        return name not in live
    return False


def changed(before: Facts, now: Facts) -> list[str]:
    """PFs and VFs in the host that are not what they were; one that is in a pod now is left out."""
    found, there = [], vfs_and_pfs(now["host"])
    for who, was in vfs_and_pfs(before["host"]).items():
        if who in there:
            then, today = settled(was), settled(there[who])
            found += [
                f"{was['ifname']} {key}: {then.get(key)} -> {today.get(key)}"
                for key in sorted(then.keys() | today.keys())
                if then.get(key) != today.get(key)
            ]
    new = there.keys() - vfs_and_pfs(before["host"]).keys()
    found += [f"{there[who]['ifname']} is new in the host" for who in sorted(new)]
    driven, drives = before["drivers"], now["drivers"]
    return found + [
        f"{who}: driver {driven[who]} -> {drives[who]}"
        for who in sorted(driven.keys() & drives.keys())
        if driven[who] != drives[who]
    ]


def settled(link: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in link.items() if key not in MOVING}
    found["flags"] = sorted(set(link["flags"]) - {"LOWER_UP", "NO-CARRIER"})
    found["altnames"] = sorted(link.get("altnames", []))
    return found | {f"vf {vf['vf']}": vf for vf in found.pop("vfinfo_list", [])}


# the overlap index ----------------------------------------------------------------------------------------------------


def index_faults(now: Facts) -> list[str]:
    """Whether each index says the same as the names of the lease files; a missing one is built anew by the product."""
    found = []
    for name, raw in below(now, SUBNETS).items():
        scope, _, family = name.partition("@")
        if family in {"v4", "v6"}:
            said = merged(leased_ranges(raw.encode("latin-1"), 4 if family == "v4" else 6))
            held = [
                (int(subnet[0]), int(subnet[-1]) + 1)
                for subnet in {ip_network(leaf) for leaf in lease_names(now, scope)}
                if subnet.version == int(family[1])
            ]
            if said != merged(held):
                found.append(f"index {name} says {spans(said)}, the files say {spans(merged(held))}")
    return found


def lease_names(now: Facts, scope: str) -> list[str]:
    """Of this boot and the sticky ones."""
    paths = [path.split("/") for path in now["files"] if "/leases/" in path]
    return [p[-1].replace("_", "/") for p in paths if p[-4] == scope and p[-3] in {now["boot"], "sticky"}]


def leased_ranges(raw: bytes, version: int) -> list[tuple[int, int]]:
    """Nodes of 1 KiB, one byte of the address each: 256 lengths, 255 = full, then the children's numbers."""
    bits = 32 if version == 4 else 128

    def walk(number: int, depth: int, base: int) -> list[tuple[int, int]]:
        node = raw[1024 * number : 1024 * (number + 1)]
        size = 1 << (bits - 8 * (depth + 1))
        found = []
        for slot in range(256):
            child = int.from_bytes(node[256 + 3 * slot : 259 + 3 * slot], "little")
            first = base + slot * size
            if child:
                found += walk(child, depth + 1, first)
            elif node[slot] == 255:
                found.append((first, first + size))
        return found

    return walk(1, 0, 0)


def merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    result: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if result and result[-1][1] == low:
            result[-1] = (result[-1][0], high)
        else:
            result.append((low, high))
    return result


def spans(ranges: list[tuple[int, int]]) -> str:
    return " ".join(f"{low:x}-{high:x}" for low, high in ranges) or "nothing"
