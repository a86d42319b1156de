"""In a root of arm64 (tests/lab/arm64.py): build the snapshot there, and one of the tests' own that does an ADD and a DEL
on the fake kernel; answer VERSION, and let that one tell what it did.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path("/src")
sys.path.insert(0, str(HERE / "build" / "snapshot"))
import picture  # noqa: E402

CODE = """
import tests.world, cni_sriov.doors.real
from pathlib import Path
tests.world.cni = cni_sriov.doors.real
world = tests.world.World(Path("/src/work/world"))
world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=7)
world.kernel.add_pod("/run/netns/pod1")
before = world.snapshot()
conf = world.conf(ipam=world.ipam(), vlan=100, mtu=1400)
added, deleted = world.call("ADD", conf), world.call("DEL", conf)
answer = [added.code, added.document.get("ips", added.text), deleted.code, world.snapshot() == before]
"""


def main() -> None:
    work = HERE / "work"
    more = {"cni_sriov.doors.real": HERE / "cni_sriov/doors/cni.py"}
    more |= picture.player_sources()
    library = picture.library()
    available = picture.builtin(library) | {"_json"}
    python, names = picture.modules(available, more)
    work.mkdir()
    raw = picture.link(work, names, "", HERE / "_json.c")
    real, _ = picture.modules(available)
    played = picture.frozen(picture.players(available, real))
    told = picture.take(raw, picture.frozen(real), work / "real", HERE / "sriov", played)
    fake = python | {"cni_sriov.doors.cni": HERE / "tests/snapshot/door.py"}
    for name in ("warm", *picture.ON_TRIAL):  # warm.py rehearses the real door
        fake.pop(name, None)
    picture.take(raw, picture.frozen(fake), work / "fake", HERE / "probe")

    version = subprocess.run([HERE / "sriov"], env={"CNI_COMMAND": "VERSION"}, input=b"", capture_output=True)
    probe = subprocess.run([HERE / "probe", CODE], env={}, input=b"", capture_output=True)
    answers = {
        "version": version.stdout.decode(),
        "add": probe.stdout.decode(),
        "said": probe.stderr.decode(),
    }
    print(json.dumps({"machine": platform.machine(), "told": told} | answers))


main()
