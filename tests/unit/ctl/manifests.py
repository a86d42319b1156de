"""Manifests for Multus, judged by sriovctl validate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.unit.ctl.tool import Run, sriovctl
from tests.world import World

Json = dict[str, Any]

GIVEN = "deviceID comes from Multus, of the resource intel.com/sriov"


def judge(world: World, tmp_path: Path, text: str, name: str = "x.yaml", *argv: str) -> Run:
    path = tmp_path / name
    path.write_text(text)
    return sriovctl(world, "validate", str(path), *argv)


def nad(conf: Json | str, resource: str = "intel.com/sriov", name: str = "fast") -> Json:
    annotations = {"k8s.v1.cni.cncf.io/resourceName": resource} if resource else {}
    text = conf if isinstance(conf, str) else json.dumps(conf)
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"config": text},
    }
