"""Which API servers does the operator trust? Those whose certificates its authority signed, of old make too."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import incluster_config

from dormouse_operator.controller.api_server import ApiServer
from dormouse_operator.controller.connection import connection_info, load_configuration
from dormouse_operator.controller.resources import PODS

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "test",
    "clusters": [{"name": "test", "cluster": {"server": "https://127.0.0.1:6443"}}],
    "users": [{"name": "test", "user": {"token": "secret"}}],
    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
}


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whoever runs the tests."""
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


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


@pytest.mark.parametrize(("none_for", "proxy"), [("", "http://proxy:3128"), ("127.0.0.1,other", None)])
def test_the_environments_proxy_is_for_watches_and_requests_alike(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch, none_for: str, proxy: str | None
) -> None:
    assert configuration.proxy is None
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", none_for)
    proxied = asyncio.run(load_configuration())
    assert proxied.proxy == proxy
    assert asyncio.run(connection_info(proxied)).proxy_url == proxy


def test_the_passwords_of_who_started_the_operator_are_none_of_the_api_servers(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    passwords = tmp_path / "netrc"
    passwords.write_text("machine 127.0.0.1 login somebody password secret\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("NETRC", str(passwords))
    told: list[str | None] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        told.append(request.headers.get("Authorization"))
        return web.json_response({})

    async def ask() -> None:
        async with RawTestServer(answer) as listening:
            configuration.host = str(listening.make_url(""))
            configuration.api_key = {}
            async with ApiServer(configuration) as api:
                await api.get(PODS, "team", "report-e1")

    asyncio.run(ask())
    assert told == [None]


def test_watches_and_requests_have_the_token_that_the_kubelet_wrote_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    authority.write_text("of the cluster")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    told: list[str | None] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        told.append(request.headers.get("Authorization"))
        return web.json_response({})

    async def ask() -> None:
        token.write_text("first")
        configuration = await load_configuration()
        configuration.ssl_ca_cert = None
        async with RawTestServer(answer) as listening:
            configuration.host = str(listening.make_url(""))
            async with ApiServer(configuration) as api:
                for written in ("first", "second", ""):
                    token.write_text(written)
                    await api.get(PODS, "team", "report-e1")
                    told.append((await connection_info(configuration)).token)

    asyncio.run(ask())
    assert told == ["Bearer first", "first", "Bearer second", "second", "Bearer second", "second"]


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
