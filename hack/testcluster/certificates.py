"""Who trusts whom in the cluster? One authority, a certificate for each component, and a kubeconfig that holds it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from testcluster.commands import run
from testcluster.lab import API_ENDPOINT, API_SERVICE_ADDRESS, CLUSTER_DOMAIN, CONTROL_PLANE, NODES

_DAYS = "365"
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Identity:
    """Whom a certificate stands for, and at which addresses."""

    name: str
    common_name: str
    organization: str | None = None
    addresses: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The name as openssl takes it."""
        organization = f"/O={self.organization}" if self.organization else ""
        return f"{organization}/CN={self.common_name}"


_API_NAMES = tuple(
    f"DNS:{name}"
    for name in (
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
    )
)
IDENTITIES = (
    Identity("admin", "admin", "system:masters"),
    Identity(
        "kube-apiserver",
        "kube-apiserver",
        addresses=(f"IP:{CONTROL_PLANE.address}", f"IP:{API_SERVICE_ADDRESS}", "IP:127.0.0.1", *_API_NAMES),
    ),
    Identity("kube-apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
    Identity("kube-controller-manager", "system:kube-controller-manager"),
    Identity("kube-scheduler", "system:kube-scheduler"),
    Identity("kube-proxy", "system:kube-proxy"),
    *(
        Identity(node.name, f"system:node:{node.name}", "system:nodes", (f"IP:{node.address}", f"DNS:{node.name}"))
        for node in NODES
    ),
)


@dataclass(frozen=True)
class Authority:
    """The folder with every certificate, key and kubeconfig."""

    folder: Path
    endpoint: str = API_ENDPOINT
    identities: tuple[Identity, ...] = IDENTITIES

    @property
    def certificate(self) -> Path:
        """What everyone trusts."""
        return self.folder / "ca.crt"

    @property
    def key(self) -> Path:
        """What certificates are signed with."""
        return self.folder / "ca.key"

    @property
    def token_key(self) -> Path:
        """What service account tokens are signed with."""
        return self.folder / "service-accounts.key"

    def pair(self, name: str) -> tuple[Path, Path]:
        """The certificate and the key of a component."""
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"

    def kubeconfig(self, name: str) -> Path:
        """What a component logs in with."""
        return self.folder / f"{name}.kubeconfig"

    def create(self) -> None:
        """Make everything afresh."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        authority = ("-keyout", str(self.key), "-out", str(self.certificate), "-subj", "/CN=dormouse-test-cluster")
        # Python 3.13 and later trust no authority that does not say what it is for.
        purpose = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        run(["openssl", "req", "-x509", *_KEY, *authority, *purpose, "-days", _DAYS])
        run(["openssl", "genrsa", "-out", str(self.token_key), "2048"])
        for identity in self.identities:
            self._sign(identity)
            self.kubeconfig(identity.name).write_text(self._login(identity.name))

    def _sign(self, identity: Identity) -> None:
        certificate, key = self.pair(identity.name)
        request = self.folder / f"{identity.name}.csr"
        run(["openssl", "req", *_KEY, "-keyout", str(key), "-out", str(request), "-subj", identity.subject])
        usage = "extendedKeyUsage=serverAuth,clientAuth\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        names = f"subjectAltName={','.join(identity.addresses)}\n" if identity.addresses else ""
        extensions = request.with_suffix(".extensions")
        extensions.write_text(usage + names)
        signed = ("-CA", str(self.certificate), "-CAkey", str(self.key), "-CAcreateserial", "-days", _DAYS)
        files = ("-in", str(request), "-out", str(certificate), "-extfile", str(extensions))
        run(["openssl", "x509", "-req", *files, *signed])

    def _login(self, name: str) -> str:
        certificate, key = self.pair(name)
        cluster = {"server": self.endpoint, "certificate-authority-data": _encoded(self.certificate)}
        user = {"client-certificate-data": _encoded(certificate), "client-key-data": _encoded(key)}
        label = "dormouse-test"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": label,
            "clusters": [{"name": label, "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": label, "context": {"cluster": label, "user": name}}],
        }
        return json.dumps(document, indent=2)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
