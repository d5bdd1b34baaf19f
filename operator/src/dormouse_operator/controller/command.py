"""`dormouse operator`: what can be asked for on the command line?"""

from __future__ import annotations

import click

from dormouse.logs import FORMATS, Format, log_as


@click.group()
def operator() -> None:
    """The operator of a cluster."""


@operator.command()
@click.option(
    "-n",
    "--namespace",
    "namespaces",
    multiple=True,
    help="Serve only this namespace. May be given more than once. Default: all of them.",
)
@click.option("--lease-namespace", help="Where the Lease of the leader lives. Default: the operator's own namespace.")
@click.option("--lease-name", default="dormouse-operator", show_default=True, help="Its name.")
@click.option("--worker-image", help="The image of the keeper, and of runtimes without an image of their own.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="Steps that may run side by side; of one namespace at most three quarters of them.",
)
@click.option(
    "--max-concurrent-rolls",
    type=click.IntRange(0, 10000),
    default=0,
    show_default=True,
    help="How many workflows are replaced at once because their spec changed; 0 is without a bound.",
)
@click.option(
    "--relist-seconds",
    type=click.IntRange(10, 86400),
    default=300,
    show_default=True,
    help="How often the watches are compared with full lists.",
)
@click.option("--probes-port", type=click.IntRange(1, 65535), help="Answer GET /healthz and /readyz on this port.")
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Answer GET /metrics on this port.")
@click.option("--reports-port", type=click.IntRange(1, 65535), help="Take the reports of running pods on this port.")
@click.option("--reports-url", default="", metavar="URL", help="Where pods reach that port: http://HOST:PORT.")
@click.option("--telemetry", is_flag=True, help="Send traces over OTLP, as the OTEL_ variables say.")
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Log as lines for people, or as one JSON object a line.",
)
@click.option("-v", "--verbose", is_flag=True, help="Tell every step.")
def run(
    namespaces: tuple[str, ...],
    lease_namespace: str | None,
    lease_name: str,
    worker_image: str | None,
    workers: int,
    max_concurrent_rolls: int,
    relist_seconds: int,
    probes_port: int | None,
    metrics_port: int | None,
    reports_port: int | None,
    reports_url: str,
    telemetry: bool,
    log_format: Format,
    verbose: bool,
) -> None:
    """Serve DurableWorkflows and ObjectStores, as the leader or as a standby that already watches.

    Finds the cluster by KUBECONFIG, by the service account of the pod that it runs in, or in ~/.kube/config.
    """
    if (reports_port is None) == bool(reports_url):
        raise click.UsageError("--reports-port and --reports-url go together: where to listen, and where pods post")
    # Imported late: `dormouse --help` and wrong options need none of it.
    import asyncio
    import logging
    import socket
    from uuid import uuid4

    from dormouse_operator.controller.connection import NoCluster, load_configuration, own_namespace
    from dormouse_operator.controller.garbage import spare_what_stays
    from dormouse_operator.controller.leading import Candidate
    from dormouse_operator.controller.log_subjects import WithSubject
    from dormouse_operator.controller.options import Options
    from dormouse_operator.controller.running import NotInstalled
    from dormouse_operator.controller.running import run as run_operator
    from dormouse_operator.plan import STOCK

    log_as(log_format, "DEBUG" if verbose else "INFO")
    for handler in logging.getLogger().handlers:
        handler.addFilter(WithSubject())
    if not verbose:
        logging.getLogger("kopf").setLevel(logging.WARNING)
        # It warns that it leaves the signals to us.
        logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
        logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    identity = f"{socket.gethostname()}_{uuid4().hex[:8]}"
    options = Options(
        candidate=Candidate(lease_namespace or own_namespace(), lease_name, identity),
        namespaces=namespaces,
        worker_image=worker_image or STOCK.worker_image,
        workers=workers,
        max_concurrent_rolls=max_concurrent_rolls,
        relist_seconds=float(relist_seconds),
        probes_port=probes_port,
        metrics_port=metrics_port,
        reports_port=reports_port,
        reports_url=reports_url,
        sends_traces=telemetry,
    )

    async def main() -> None:
        await run_operator(await load_configuration(), options, started=lambda _: spare_what_stays())

    try:
        asyncio.run(main())
    except (NoCluster, NotInstalled) as wrong:
        raise click.ClickException(str(wrong)) from wrong
