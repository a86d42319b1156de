"""`make dist`: the same bytes elsewhere; what the tarball and the .deb hold, and that it works; sums, bill of materials.

The image's own tests are in test_image.py, the .deb's life in a machine in tests/lab/packages_deb.py.
"""

from __future__ import annotations

import filecmp
import gzip
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import bundle, dist
from tests.integration.test_build import CAPABLE, HOST, ODD, USER
from tests.integration.test_install import tree, version
from tests.lab.cache import cache_dir
from tests.pages import ROOT

sys.path.insert(0, str(ROOT / "build" / "snapshot"))
import picture

pytestmark = [pytest.mark.bundle, pytest.mark.root]
SOURCES = (
    "build",
    "cni_sriov",
    "conf",
    "docs",
    "tests",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "SECURITY.md",
)
MANUALS = ("man5/cni-sriov.conf.5", "man8/host-subnet.8", "man8/sriov.8", "man8/sriovctl.8")
MANIFESTS = ROOT / "conf" / "kubernetes"
KUBERNETES = ("1.25", "1.37")  # the oldest and the newest that kubernetes-validate has schemas of


@pytest.fixture(scope="module", autouse=True)
def told() -> str:
    """What `make dist` said."""
    return dist.made()


def test_lintian_found_nothing(told: str) -> None:
    """Of the .deb, in `make dist`; where there is no lintian, that is said."""
    assert ("no error, no warning" in told) == (shutil.which("lintian") is not None), told


# the same bytes ------------------------------------------------------------------------------------------------------


def checkout(home: Path) -> None:
    """The sources and the bundle in another place, without git, of files from another year."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, home / name, ignore=shutil.ignore_patterns("out", "vendor", "__pycache__")
            )
        else:
            shutil.copy(ROOT / name, home)
    made = home / "build" / "out"
    for name in ("cni-sriov", "share", "glibc", "snapshot.told", "snapshot/modules"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", dist.OUT / name, made / name], check=True)
    for toc in (dist.OUT / "work" / "cni-sriov").glob("*-00.toc"):
        (made / "work" / "cni-sriov").mkdir(parents=True, exist_ok=True)
        (made / "work" / "cni-sriov" / toc.name).write_text(toc.read_text().replace(str(ROOT), str(home)))
    for path in home.rglob("*"):
        if path.is_file() and not path.is_relative_to(made):
            os.utime(path, (1e9, 1e9))


def test_the_same_commit_gives_the_same_bytes_elsewhere(tmp_path: Path) -> None:
    """In another directory, at another time, by another user with another umask, below an odd environment."""
    home = tmp_path / "another-place"
    home.mkdir()
    checkout(home)
    date, commit = subprocess.run(
        ["git", "log", "-1", "--format=%ct %H"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "CNI_SRIOV_CACHE": str(cache_dir().parent)} | ODD
    env |= {"SOURCE_DATE_EPOCH": date, "REVISION": commit}
    script = f'hostname {HOST}; umask 077; exec "$0" "$@"'
    somebody = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *CAPABLE)
    command = [
        "unshare",
        "--uts",
        "sh",
        "-c",
        script,
        *somebody,
        sys.executable,
        str(home / "build/package/dist.py"),
    ]

    done = subprocess.run(command, env=env, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    names = sorted(path.name for path in dist.DIST.iterdir())
    assert len(names) == 5
    again = home / "build" / "out" / "dist"
    assert sorted(path.name for path in again.iterdir()) == names
    assert filecmp.cmpfiles(dist.DIST, again, names, shallow=False) == (names, [], [])


def test_the_sums_are_right() -> None:
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=dist.DIST, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(list(dist.DIST.iterdir())) - 1


# the tarball ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """By tar, far from any checkout."""
    home = tmp_path_factory.mktemp("unpacked")
    subprocess.run(["tar", "-xzf", dist.artifact(".tar.gz"), "-C", home], check=True)
    (top,) = home.iterdir()
    return top


def test_the_tarball_is_one_directory_of_roots(unpacked: Path) -> None:
    with tarfile.open(dist.artifact(".tar.gz")) as archive:
        members = archive.getmembers()

    assert {member.name.partition("/")[0] for member in members} == {unpacked.name}
    assert {(member.uid, member.gid, member.uname) for member in members} == {(0, 0, "root")}
    assert {member.mode for member in members if not member.issym()} == {0o755, 0o644}
    assert unpacked.name == f"cni-sriov-{dist.VERSION}-linux-amd64"


def test_what_is_unpacked_installs_as_make_install_does(unpacked: Path, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for script, dest in ((ROOT / "build/install", ours), (unpacked / "install", theirs)):
        env = {"PATH": os.environ["PATH"], "DESTDIR": str(dest)}
        subprocess.run([script, "install"], env=env, check=True, capture_output=True, cwd="/")

    assert tree(theirs) == tree(ours)
    assert len(tree(ours)) > 50
    files = [
        name
        for name in tree(ours)
        if not (ours / name).is_symlink() and not name.endswith(".cni-sriov/share")
    ]
    assert filecmp.cmpfiles(ours, theirs, files, shallow=False) == (files, [], [])
    assert '"supportedVersions"' in version(theirs / "opt/cni/bin/sriov")
    shown = subprocess.run([theirs / "usr/local/sbin/sriovctl", "--version"], capture_output=True, text=True)
    assert dist.VERSION in shown.stdout, shown.stderr
    subprocess.run([unpacked / "install", "uninstall"], env=env, check=True, capture_output=True)
    assert tree(theirs) == []


def test_it_has_pages_samples_and_the_licences_of_what_it_carries(unpacked: Path) -> None:
    for name in (
        "docs/install.md",
        "conf/10-sriov.conflist",
        "conf/kubernetes/daemonset.yaml",
        "LICENSE",
    ):
        assert (unpacked / name).read_bytes() == (ROOT / name).read_bytes()
    for name in MANUALS:
        assert (unpacked / "share/man" / name).read_bytes() == (dist.OUT / "share/man" / name).read_bytes()
    texts = {path.name: path.read_text(errors="replace") for path in (unpacked / "licenses").iterdir()}
    assert {part["name"] for part in bill()["components"] if "purl" in part} == texts.keys()
    assert [
        name for name, text in texts.items() if not re.search("copyright|licen[sc]e", text, re.IGNORECASE)
    ] == []


# the package ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its tree, and DEBIAN/ with control, conffiles and scripts."""
    home = tmp_path_factory.mktemp("deb") / "tree"
    subprocess.run(["dpkg-deb", "-R", dist.artifact(".deb"), home], check=True)
    return home


def field(name: str) -> str:
    return subprocess.run(
        ["dpkg-deb", "-f", dist.artifact(".deb"), name], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_all_of_it_is_roots_and_nobody_else_may_write(deb: Path) -> None:
    listed = subprocess.run(
        ["dpkg-deb", "-c", dist.artifact(".deb")], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    modes = {(row.split()[0], row.split()[1]) for row in listed}

    assert modes == {(mode, "root/root") for mode in ("drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx")}
    runnable = {
        str(path.relative_to(deb))
        for path in deb.rglob("*")
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & stat.S_IXUSR
    }
    scripts = {f"DEBIAN/{name}" for name in ("preinst", "postinst", "prerm", "postrm")}
    samples = {name for name in runnable if name.startswith("usr/share/doc/cni-sriov/examples/")}
    assert runnable - samples == scripts | {"usr/lib/cni-sriov/sriov", "usr/lib/cni-sriov/sriovctl"}


def test_runtimes_find_the_one_file_by_links_that_stay_inside(deb: Path) -> None:
    links = {str(path.relative_to(deb)): path for path in deb.rglob("*") if path.is_symlink()}

    assert {name for name in links if not name.startswith("usr/lib/cni-sriov/")} == {
        *("usr/lib/cni/sriov", "usr/lib/cni/host-subnet", "opt/cni/bin/sriov", "opt/cni/bin/host-subnet"),
        *("usr/lib/netavark/sriov", "usr/sbin/sriovctl"),
    }
    assert [
        name
        for name, path in links.items()
        if os.readlink(path).startswith("/") or not path.resolve().is_relative_to(deb)
    ] == []
    for name in ("usr/lib/cni/host-subnet", "opt/cni/bin/sriov", "usr/lib/netavark/sriov"):
        assert links[name].resolve() == deb / "usr/lib/cni-sriov/sriov"
        assert '"supportedVersions"' in version(links[name])
    assert filecmp.cmp(deb / "usr/lib/cni-sriov/sriov", bundle.sriov(), shallow=False)
    shown = subprocess.run([deb / "usr/sbin/sriovctl", "--version"], capture_output=True, text=True)
    assert dist.VERSION in shown.stdout, shown.stderr


def test_manual_pages_are_where_man_looks(deb: Path) -> None:
    for name in MANUALS:
        packed = (deb / "usr/share/man" / f"{name}.gz").read_bytes()
        assert gzip.decompress(packed) == (dist.OUT / "share/man" / name).read_bytes()


def test_every_file_in_etc_is_a_conffile(deb: Path) -> None:
    files = {f"/{path.relative_to(deb)}" for path in (deb / "etc").rglob("*") if path.is_file()}

    assert {*(deb / "DEBIAN/conffiles").read_text().splitlines()} == files == {"/etc/logrotate.d/cni-sriov"}


def test_units_are_there_and_nothing_enables_or_starts_them(deb: Path) -> None:
    units = deb / "usr/lib/systemd/system"

    assert {path.name for path in units.iterdir()} == {
        path.name for path in (ROOT / "conf/systemd").iterdir()
    }
    for unit in units.iterdir():
        (program,) = re.findall(r"^ExecStart=(\S+)", unit.read_text(), re.MULTILINE)
        assert (deb / program.lstrip("/")).exists()
    scripts = [(deb / "DEBIAN" / name).read_text() for name in ("preinst", "postinst", "prerm", "postrm")]
    code = "\n".join(line for text in scripts for line in text.splitlines() if not line.startswith("#"))
    assert "systemctl --system daemon-reload" in code
    assert not re.search(r"systemctl[a-z -]* (enable|start|restart)|deb-systemd", code)


def test_scripts_are_sh_and_stop_at_a_failure(deb: Path) -> None:
    for name in ("preinst", "postinst", "prerm", "postrm"):
        text = (deb / "DEBIAN" / name).read_text()
        assert "\nset -e\n" in text
        assert "@" not in text.replace("sriov-numvfs@", "")
        subprocess.run(["sh", "-n", deb / "DEBIAN" / name], check=True)


def test_it_depends_on_the_glibc_that_sriovctl_needs_and_knows_its_sums(deb: Path) -> None:
    tables = (
        subprocess.run(["objdump", "-T", path], capture_output=True, text=True).stdout
        for path in (deb / "usr/lib/cni-sriov").rglob("*")
        if path.is_file()
    )
    wanted = max(
        tuple(map(int, found.split(".")))
        for table in tables
        for found in re.findall(r"GLIBC_(\d+\.\d+)", table)
    )

    assert field("Depends") == f"libc6 (>= {'.'.join(map(str, wanted))})"
    assert (field("Package"), field("Version"), field("Architecture")) == (
        "cni-sriov",
        f"{dist.VERSION}-1",
        "amd64",
    )
    done = subprocess.run(
        ["md5sum", "--strict", "--quiet", "-c", "DEBIAN/md5sums"], cwd=deb, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


# the bill of materials -----------------------------------------------------------------------------------------------


def bill() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(dist.artifact(".cdx.json").read_text())
    return document


def parts_of(program: str) -> set[str]:
    """Names of what it is made of."""
    document = bill()
    names = {part["bom-ref"]: part["name"] for part in document["components"]}
    (entry,) = (entry for entry in document["dependencies"] if entry["ref"] == program)
    return {names[ref] for ref in entry["dependsOn"]}


def owners(paths: list[Path]) -> set[str]:
    """The packages of Debian, by the files' names: the bundle has copies."""
    patterns = [f"*/{path.name}" for path in paths]
    told = subprocess.run(["dpkg-query", "-S", *patterns], capture_output=True, text=True, check=True).stdout
    return {line.partition(":")[0] for line in told.splitlines() if "/python3/debug" not in line}


def test_the_bill_is_what_the_standard_asks_for() -> None:
    check = (
        "import sys; from cyclonedx.validation.json import JsonStrictValidator; from cyclonedx.schema import SchemaVersion;"
        "sys.exit(JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read()) and 'not valid')"
    )
    path = dist.artifact(".cdx.json")
    done = dist.with_its_packages("-c", check, str(path))
    assert (done.returncode, done.stderr) == (0, "")

    bad = path.read_text().replace('"type": "library"', '"type": "a library"')
    wrong = path.with_name("wrong")
    try:
        wrong.write_text(bad)
        assert dist.with_its_packages("-c", check, str(wrong)).returncode == 1
    finally:
        wrong.unlink()


def test_the_bill_of_sriov_is_what_it_says_itself() -> None:
    said = subprocess.run([bundle.sriov()], stdin=subprocess.DEVNULL, capture_output=True, text=True).stderr
    (carried,) = re.findall(r"\((lib.+)\)\.$", said, re.MULTILINE)
    versions = {part["name"]: part["version"] for part in bill()["components"]}

    assert {tuple(words.split()) for words in carried.split(", ")} <= {
        (name, versions[name]) for name in parts_of("sriov")
    }
    assert len(carried.split(", ")) == 2
    (sriov,) = (part for part in bill()["components"] if part["name"] == "sriov")
    digest = subprocess.run(
        ["sha256sum", bundle.sriov()], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert sriov["hashes"] == [{"alg": "SHA-256", "content": digest}]
    modules = {entry["value"] for entry in sriov["properties"]}
    assert picture.sources().keys() <= modules
    assert {"json.decoder", "_socket", "posix", "encodings.utf_8"} <= modules


def test_the_bill_of_sriovctl_has_each_library_package_and_the_bootloader() -> None:
    libraries = [
        path for path in (bundle.directory() / "cni-sriov" / "lib").rglob("*.so*") if "rpds" not in path.name
    ]
    packages = {
        path.name.removesuffix(".dist-info").rsplit("-", 1)[0]
        for path in (bundle.directory() / "cni-sriov/lib").glob("*.dist-info")
    }

    assert len(libraries) > 20
    assert owners(libraries) | {
        "pyinstaller",
        "rpds-py",
        "rich",
        "PyYAML",
    } | packages <= parts_of("sriovctl")


# for Kubernetes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_daemon_set_and_the_pods_are_ones_for_kubernetes(version: str, tmp_path: Path) -> None:
    files = [
        str(MANIFESTS / name)
        for name in (
            *("daemonset.yaml", "pods.yaml", "multus/device-plugin.yaml", "multus/pod.yaml"),
            *("shared-pool/crd.yaml", "shared-pool/rbac.yaml", "shared-pool/serviceaccount.yaml"),
        )
    ]
    done = dist.with_its_packages("-m", "kubernetes_validate", "--strict", "-k", version, *files)
    assert done.returncode == 0, done.stdout + done.stderr

    (tmp_path / "wrong.yaml").write_text(
        (MANIFESTS / "daemonset.yaml").read_text().replace("hostPath:", "hostpath:")
    )
    wrong = dist.with_its_packages(
        "-m", "kubernetes_validate", "--strict", "-k", version, str(tmp_path / "wrong.yaml")
    )
    assert wrong.returncode != 0


def test_the_daemon_set_runs_the_image_of_this_version_as_it_is_called() -> None:
    spec = yaml.safe_load((MANIFESTS / "daemonset.yaml").read_text())["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    (mount,) = container["volumeMounts"]

    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert container["image"] == f"localhost/cni-sriov:{dist.VERSION}"
    assert container["args"] == ["install", mount["mountPath"]]
    assert pod["volumes"] == [
        {"name": mount["name"], "hostPath": {"path": "/opt/cni/bin", "type": "DirectoryOrCreate"}}
    ]


@pytest.mark.parametrize(
    "path", sorted(MANIFESTS.rglob("kustomization.yaml")), ids=lambda path: path.parent.name
)
def test_each_kustomization_has_all_that_is_beside_it_but_the_pods(path: Path) -> None:
    """Which are samples, for a user to apply. What the device plugin counts is of its own namespace, and a token that does not
    run out is made by who wants one.
    """
    apart = {path.name, "pods.yaml", "pod.yaml", "device-plugin.yaml", "serviceaccount.yaml"}
    document = yaml.safe_load(path.read_text())

    assert (document["apiVersion"], document["kind"]) == ("kustomize.config.k8s.io/v1beta1", "Kustomization")
    assert sorted(document["resources"]) == sorted({file.name for file in path.parent.glob("*.yaml")} - apart)
