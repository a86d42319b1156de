"""Certificates for servers and clients of the tests, by the openssl program; they are good for a day."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
LONG_AGO = ("-startdate", "20000101000000Z", "-enddate", "20000102000000Z")


class Certificate(NamedTuple):
    cert: Path
    key: Path


class Authority:
    """Its files are in `directory`."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.cert, self.key = directory / f"{name}.crt", directory / f"{name}.key"
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        files = self._files(self.cert, self.key)
        openssl("req", "-x509", *NEW_KEY, "-days", "1", "-subj", f"/CN={name}", *usage, *files)

    def issue(
        self, name: str, *hosts: str, groups: tuple[str, ...] = (), expired: bool = False
    ) -> Certificate:
        """For `hosts`, IP addresses and names, or for a client: `name` in `groups`."""
        made = Certificate(self.directory / f"{name}.crt", self.directory / f"{name}.key")
        request = self.directory / f"{name}.csr"
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={name}"
        openssl("req", "-new", *NEW_KEY, "-subj", subject, *self._files(request, made.key))
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(_extensions(hosts))
        openssl(
            *("ca", "-batch", "-notext", "-md", "sha256", "-config", str(self._config())),
            *("-cert", str(self.cert), "-keyfile", str(self.key), "-extfile", str(extensions)),
            *("-in", str(request), "-out", str(made.cert), *(LONG_AGO if expired else ("-days", "1"))),
        )
        return made

    def _config(self) -> Path:
        """What `openssl ca` insists on; it alone can set both ends of a certificate's life."""
        path = self.directory / "openssl.cnf"
        index = self.directory / "index"
        index.touch()
        lines = (
            *("[ca]", "default_ca=here", "[here]", f"database={index}", f"new_certs_dir={self.directory}"),
            *(
                "rand_serial=yes",
                "unique_subject=no",
                "policy=any",
                "[any]",
                "organizationName=optional",
                "commonName=supplied",
            ),
        )
        path.write_text("\n".join(lines) + "\n")
        return path

    @staticmethod
    def _files(out: Path, key: Path) -> tuple[str, ...]:
        return "-out", str(out), "-keyout", str(key)


def _extensions(hosts: tuple[str, ...]) -> str:
    names = [f"IP:{host}" if host[:1].isdigit() or ":" in host else f"DNS:{host}" for host in hosts]
    lines = ["extendedKeyUsage=serverAuth,clientAuth", "authorityKeyIdentifier=keyid"]
    return "\n".join([*lines, *([f"subjectAltName={','.join(names)}"] if names else [])]) + "\n"


def openssl(*arguments: str) -> None:
    done = subprocess.run(("openssl", *arguments), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}"
