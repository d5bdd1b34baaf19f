"""Where is the API server, and who are we to it? One configuration for kopf's watches and for all other requests."""

from __future__ import annotations

import contextlib
import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import kopf
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, incluster_config, load_kube_config


class NoCluster(Exception):
    """There is no way to an API server; the message says what to set."""


async def load_configuration() -> Configuration:
    """From KUBECONFIG, from the pod that this runs in, or from the user's own kubeconfig."""
    configuration = Configuration()
    try:
        if not os.environ.get("KUBECONFIG") and os.environ.get("KUBERNETES_SERVICE_HOST"):
            # It would look for the next token by the clock of the day, which may be set back.
            incluster_config.load_incluster_config(configuration, try_refresh_token=False)  # type: ignore[no-untyped-call] # not annotated there
            configuration.refresh_api_key_hook = _read_token  # type: ignore[assignment] # said to be None there
        else:
            await load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call] # as above
    except (ConfigException, OSError) as failed:
        raise NoCluster(f"no cluster to talk to: {failed}; set KUBECONFIG, or run in a pod of the cluster") from failed
    # Many clusters have an authority made by rules older than those that Python enforces since 3.13.
    configuration.disable_strict_ssl_verification = True
    configuration.proxy = configuration.proxy or _proxy_of_environment(configuration.host)
    # Else for each request a thread reads the environment and another one `.netrc`, whose password is none of ours.
    configuration.client_session_kwargs = {"trust_env": False}
    return configuration


def _read_token(configuration: Configuration) -> None:
    """Before each request: the kubelet replaces it before it ends."""
    with contextlib.suppress(OSError):  # the one that is known may still be good
        if token := Path(incluster_config.SERVICE_TOKEN_FILENAME).read_text().strip():
            configuration.api_key["BearerToken"] = f"Bearer {token}"


def _proxy_of_environment(server: str) -> str | None:
    """As kubectl does: `HTTPS_PROXY`, unless `NO_PROXY` has the server."""
    url = urlsplit(server)
    is_direct = not url.hostname or bool(proxy_bypass(url.hostname))
    return None if is_direct else getproxies().get(url.scheme)


class _ConnectionInfo(kopf.ConnectionInfo):
    def as_ssl_context(self) -> ssl.SSLContext:
        context = super().as_ssl_context()
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # as above
        return context


async def connection_info(configuration: Configuration) -> kopf.ConnectionInfo:
    """The same in kopf's words; a token is read again, since those of pods are rotated."""
    header = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    scheme, _, token = (header or "").rpartition(" ")
    return _ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        username=configuration.username or None,
        password=configuration.password or None,
        scheme=scheme or None,
        token=token.strip() or None,
        proxy_url=configuration.proxy,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
    )


def own_namespace() -> str:
    """The namespace of the pod that this runs in; `default` elsewhere."""
    found = os.environ.get("POD_NAMESPACE")
    mounted = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
    return found or (mounted.read_text().strip() if mounted.exists() else "default")
