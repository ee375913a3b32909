"""The bucket: versitygw, a real S3 server over a folder, under the names that the rendered Loki asks for, with TLS.

Nothing stands in profile `ha` for it: endpoint, region and bucket are the declared ones. Loki's client (minio-go) turns Amazon's
endpoint into the dual-stack one and puts the bucket before it; all of these names lead here.
"""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import trustme

from .. import images
from ..stage import Neighbour
from ..until import until

ADDRESS = "10.88.0.2"
BUCKET, REGION = "auralink-logs", "us-east-1"
DOMAIN = f"s3.dualstack.{REGION}.amazonaws.com"
NAMES = (f"s3.{REGION}.amazonaws.com", DOMAIN, f"{BUCKET}.{DOMAIN}")
KEYS = "s3-access-key", "s3-secret-key"  # Secrets without a value of their own hold their logical names


@contextlib.contextmanager
def serving(home: Path, authority: trustme.CA) -> Iterator[Path]:
    """The folder whose folders are buckets and whose files are objects; it has the declared one, and Loki may not make another."""
    folder, certificate = home / "s3", authority.issue_cert(*NAMES)
    (folder / BUCKET).mkdir(parents=True)
    (home / "attributes").mkdir()
    certificate.cert_chain_pems[0].write_to_path(str(home / "s3.crt"))
    certificate.private_key_pem.write_to_path(str(home / "s3.key"))
    access, secret = KEYS
    command = [
        str(images.program("versitygw")), f"--access={access}", f"--secret={secret}", f"--region={REGION}", f"--port={ADDRESS}:443",
        f"--cert={home}/s3.crt", f"--key={home}/s3.key", f"--virtual-domain={DOMAIN}", "--quiet",
        "posix", "--sidecar", str(home / "attributes"), str(folder),
    ]  # fmt: skip
    with (home / "versitygw.log").open("wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until(lambda: _answers() or server.poll() is not None, 30, (home / "versitygw.log").read_text)
        assert server.poll() is None, (home / "versitygw.log").read_text()
        yield folder
    finally:
        server.kill()
        server.wait()


def _answers() -> bool:
    with contextlib.suppress(OSError), socket.create_connection((ADDRESS, 443), 1):
        return True
    return False


NEIGHBOUR = Neighbour(ADDRESS, NAMES, serving)


def chunks(home: Path) -> list[Path]:
    """The chunks in the bucket: TENANT/FINGERPRINT/FROM:THROUGH:CHECKSUM."""
    return [one for one in (home / "s3" / BUCKET / "fake").rglob("*") if re.fullmatch(r"\w+:\w+:\w+", one.name)]
