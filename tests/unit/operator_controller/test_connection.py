"""Which API servers does the operator trust? Those whose certificates its authority signed, of old make too."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import pytest
from kubernetes.aio.client import ApiClient, Configuration

from dormouse_operator.controller.connection import connection_info, load_configuration

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "test",
    "clusters": [{"name": "test", "cluster": {"server": "https://127.0.0.1:6443"}}],
    "users": [{"name": "test", "user": {"token": "secret"}}],
    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
}


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """Loaded by a Python that is as strict as 3.13."""
    usual = ssl.create_default_context

    def strict(*arguments: object, **options: object) -> ssl.SSLContext:
        context = usual(*arguments, **options)  # type: ignore[arg-type] # passed on as they came
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(KUBECONFIG))
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    return asyncio.run(load_configuration())


def check(context: ssl.SSLContext) -> None:
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_the_watches_check_the_certificate_and_not_its_form(configuration: Configuration) -> None:
    check(asyncio.run(connection_info(configuration)).as_ssl_context())


def test_all_other_requests_check_the_certificate_and_not_its_form(configuration: Configuration) -> None:
    async def context() -> ssl.SSLContext:
        client = ApiClient(configuration)
        try:
            made: ssl.SSLContext = client.rest_client.ssl_context
            return made
        finally:
            await client.close()  # type: ignore[no-untyped-call] # not annotated there

    check(asyncio.run(context()))
