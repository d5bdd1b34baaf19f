"""What can a person, or a test, ask of the test cluster? The arguments of `hack/cluster`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from testcluster import builds
from testcluster.cluster import Cluster
from testcluster.commands import ClusterError
from testcluster.folders import only_one
from testcluster.kind_cluster import KindCluster, docker_answers
from testcluster.namespaces_cluster import NamespacesCluster
from testcluster.partition import Target
from testcluster.progress import Progress


def main() -> int:
    """Do what the arguments say; returns the exit code."""
    arguments = _arguments()
    progress = Progress()
    try:
        return _do(arguments, _cluster(), progress)
    except ClusterError as failed:
        print(f"hack/cluster: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("hack/cluster: interrupted; the next `up` or `down` removes what is half made", file=sys.stderr)
        return 130


def _do(arguments: argparse.Namespace, cluster: Cluster, progress: Progress) -> int:  # noqa: C901 - one branch a verb
    match arguments.verb:
        case "up":
            with only_one():
                cluster.up(progress)
            print(cluster.status().as_text())
        case "down":
            with only_one():
                cluster.down(progress)
        case "status":
            status = cluster.status()
            print(status.as_json() if arguments.json else status.as_text())
            return 0 if status.healthy else 1
        case "kubeconfig":
            print(cluster.kubectl.kubeconfig)
        case "kubectl":
            program = str(cluster.kubectl.program)
            os.execve(program, [program, *arguments.rest], {**os.environ, **cluster.kubectl.environment})
        case "helm":
            program = str(builds.called(builds.helm(), progress))
            os.execve(program, [program, *arguments.rest], {**os.environ, **cluster.kubectl.environment})
        case "logs":
            print(cluster.log(arguments.place, arguments.lines) if arguments.place else "\n".join(cluster.logs()))
        case "load":
            cluster.load(arguments.file)
        case "base-image":
            print(*cluster.base_image(progress))
        case "minio":
            print(builds.called(builds.minio(), progress))
        case "partition":
            cluster.partition(arguments.node, arguments.cut)
        case "heal":
            cluster.partition(arguments.node, ())
        case "stop":
            cluster.stop(arguments.place)
        case "start":
            cluster.start(arguments.place)
        case "kill":
            cluster.kill(arguments.node, arguments.container)
        case "compact":
            cluster.compact()
        case "run":
            print(cluster.run(arguments.node, arguments.command), end="")
    return 0


def _cluster() -> Cluster:
    chosen = os.environ.get("DORMOUSE_CLUSTER") or ("kind" if docker_answers() else "namespaces")
    if chosen == "kind":
        return KindCluster()
    if chosen == "namespaces":
        return NamespacesCluster()
    raise ClusterError(f"DORMOUSE_CLUSTER is {chosen}; it may be kind or namespaces, or left out")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hack/cluster", description=(__package__ and sys.modules[__package__].__doc__)
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("up", help="start it, or mend it; returns when it can be used")
    verbs.add_parser("down", help="end it, and leave nothing but the cached builds")
    status = verbs.add_parser("status", help="what runs; exit code 0 when all is well")
    status.add_argument("--json", action="store_true", help="for programs, with the store's keys")
    verbs.add_parser("kubeconfig", help="print the path of the administrator's kubeconfig")
    verbs.add_parser("kubectl", help="run the cluster's own kubectl with what follows", add_help=False)
    verbs.add_parser("helm", help="run a helm that fits the cluster with what follows", add_help=False)
    logs = verbs.add_parser("logs", help="list the logs, or show the end of one")
    logs.add_argument("place", nargs="?", metavar="HOST/PROGRAM")
    logs.add_argument("--lines", type=int, default=100)
    load = verbs.add_parser("load", help="import an image archive into both nodes")
    load.add_argument("file", type=Path, metavar="FILE.tar")
    verbs.add_parser("base-image", help="print the name and the archive of an image with Python, made if need be")
    verbs.add_parser("minio", help="print the path of a second S3 server for tests, built if need be")
    partition = verbs.add_parser("partition", help="cut a node off from the API server, the store, or everything")
    partition.add_argument("node")
    partition.add_argument("cut", type=Target, nargs="+", metavar="api|store|all")
    verbs.add_parser("heal", help="undo a partition").add_argument("node")
    for verb, does in (("stop", "kill one program, as a crash would"), ("start", "start one program again")):
        verbs.add_parser(verb, help=does).add_argument("place", metavar="HOST/PROGRAM")
    kill = verbs.add_parser("kill", help="kill a container's first process with SIGKILL")
    kill.add_argument("node")
    kill.add_argument("container", metavar="CONTAINER-ID", help="as the pod's status tells it")
    verbs.add_parser("compact", help="have etcd forget what was, so that old watches are told 410")
    run = verbs.add_parser("run", help="run a command on a node, and print what it prints")
    run.add_argument("node")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    # What follows `kubectl` or `helm` is for that program, `--` and `--help` with it.
    mine = 1 if sys.argv[1:2] in (["kubectl"], ["helm"]) else len(sys.argv)
    arguments = parser.parse_args(sys.argv[1 : mine + 1])
    arguments.rest = sys.argv[mine + 1 :]
    return arguments


if __name__ == "__main__":
    sys.exit(main())
