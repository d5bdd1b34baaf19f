"""Does the local S3 server behave as the store that the protocol needs?"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, PreconditionError

from dormouse_operator.dev import seaweedfs as seaweedfs_module
from dormouse_operator.dev.ports import LOOPBACK, free_ports, is_free
from dormouse_operator.dev.seaweedfs import SeaweedFS, StoreError


def test_a_started_server_takes_and_gives_objects(seaweedfs: SeaweedFS) -> None:
    store = seaweedfs.client()
    obstore.put(store, "dev-seaweedfs/hello", b"hello")
    assert bytes(obstore.get(store, "dev-seaweedfs/hello").bytes()) == b"hello"


def test_if_none_match_and_if_match_decide_who_writes(seaweedfs: SeaweedFS) -> None:
    store = seaweedfs.client()
    etag = obstore.put(store, "dev-seaweedfs/current", b"1", mode="create")["e_tag"]
    assert etag is not None
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "dev-seaweedfs/current", b"2", mode="create")
    obstore.put(store, "dev-seaweedfs/current", b"3", mode={"e_tag": etag})
    with pytest.raises(PreconditionError):
        obstore.put(store, "dev-seaweedfs/current", b"4", mode={"e_tag": etag})
    assert bytes(obstore.get(store, "dev-seaweedfs/current").bytes()) == b"3"


def test_a_bucket_that_nobody_made_is_missing(seaweedfs: SeaweedFS) -> None:
    with pytest.raises(FileNotFoundError, match="NoSuchBucket"):
        obstore.put(seaweedfs.client(bucket="never-made", retries=0), "key", b"value")
    seaweedfs.create_bucket("made-by-hand")
    obstore.put(seaweedfs.client(bucket="made-by-hand"), "key", b"value")


def test_objects_and_keys_outlive_a_kill_and_a_change_of_ports(tmp_path: Path) -> None:
    first = SeaweedFS(tmp_path / "store")
    first.start()
    try:
        obstore.put(first.client(), "kept", b"kept")
    finally:
        first.stop()
    second = SeaweedFS(tmp_path / "store")
    second.start()
    try:
        assert second.port != first.port
        assert second.access_key == first.access_key
        assert bytes(obstore.get(second.client(), "kept").bytes()) == b"kept"
    finally:
        second.stop()
    assert is_free(second.port)


def test_a_taken_port_is_named(seaweedfs: SeaweedFS, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"port {seaweedfs.port} .* is taken"):
        SeaweedFS(tmp_path / "store", port=seaweedfs.port).start()


@pytest.mark.parametrize("inner", ["master.port", "s3.port.grpc"])
def test_a_start_goes_on_when_another_program_takes_one_of_its_ports_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    with contextlib.ExitStack() as other_programs:
        taken: list[int] = []

        def first_choice_is_taken(count: int) -> list[int]:
            ports = free_ports(count)
            if count > 1 and not taken:
                other = other_programs.enter_context(socket.socket())
                other.bind((LOOPBACK, ports[seaweedfs_module._INNER_PORTS.index(inner)]))
                other.listen()
                taken.append(other.getsockname()[1])
            return ports

        monkeypatch.setattr(seaweedfs_module, "free_ports", first_choice_is_taken)
        server = SeaweedFS(tmp_path / "store")
        server.start()
        try:
            assert taken
            assert taken[0] not in server._inner_ports.values()
            obstore.put(server.client(), "served", b"served")
        finally:
            server.stop()


def test_a_server_that_ends_at_its_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "store" / "data").mkdir(parents=True)
    (tmp_path / "store" / "data" / "filerldb2").write_text("a file where its folder must be")
    with pytest.raises(StoreError, match=r"ended with code \d+: .*\nIts log: .*weed\.log") as failed:
        SeaweedFS(tmp_path / "store").start()
    assert "filerldb2" in str(failed.value)


def test_a_stopped_server_leaves_no_socket(tmp_path: Path) -> None:
    server = SeaweedFS(tmp_path / "store")
    server.start()
    ports = (server.port, *server._inner_ports.values())
    left = [path for port in ports for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]
    assert left
    server.stop()
    assert not [path for path in left if path.exists()]


def test_free_ports_are_distinct_and_no_outgoing_connection_is_given_them() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(ports) < low
