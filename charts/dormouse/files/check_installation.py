"""Does somebody lead, and is the operator allowed to see what it serves? Run by `helm test` as the operator itself."""  # noqa: INP001 - a script of the chart

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import time
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
WITHIN_SECONDS = 60.0


def ask(path: str) -> tuple[int, dict[str, Any]]:
    """GET from the API server."""
    trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    trusted.verify_flags &= ~ssl.VERIFY_X509_STRICT  # as the operator does
    address = (os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"]))
    server = http.client.HTTPSConnection(*address, context=trusted, timeout=10)
    server.request("GET", path, headers={"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}"})
    answer = server.getresponse()
    return answer.status, json.loads(answer.read())


def renewal(lease: str) -> tuple[str, str]:
    """Who leads, and since when that is known."""
    status, document = ask(lease)
    if status == http.HTTPStatus.NOT_FOUND:
        return "", ""
    if status != http.HTTPStatus.OK:
        sys.exit(f"{lease}: {status} {document.get('message')}")
    spec = document["spec"]
    return spec.get("holderIdentity") or "", spec.get("renewTime") or ""


def main(lease: str, *served: str) -> None:
    """The Lease is renewed, and each of the served lists can be read."""
    first = renewal(lease)
    deadline = time.monotonic() + WITHIN_SECONDS
    while (seen := renewal(lease)) == first or not seen[0]:
        if time.monotonic() > deadline:
            sys.exit(f"{lease}: nobody renewed it within {WITHIN_SECONDS:.0f} s; see the operator's logs")
        time.sleep(1)
    sys.stdout.write(f"{seen[0]} leads\n")
    for path in served:
        status, document = ask(f"{path}?limit=1")
        if status != http.HTTPStatus.OK:
            sys.exit(f"{path}: {status} {document.get('message')}")
        sys.stdout.write(f"{path} can be read\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
