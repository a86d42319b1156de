"""`sriovctl` of the bundle, in the guest."""

from __future__ import annotations

import json
from typing import Any

from tests import published

from .guest import Done
from .vm import Vm

SRIOVCTL = "/mnt/host/cni-sriov/sriovctl"


def sriovctl(vm: Vm, arguments: str) -> Done:
    return vm.run(f"{SRIOVCTL} {arguments}", check=False)


def document(vm: Vm, arguments: str) -> dict[str, Any]:
    done = sriovctl(vm, f"{arguments} --json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    published.judge(published.verb_of(arguments.split()), found)
    return found
