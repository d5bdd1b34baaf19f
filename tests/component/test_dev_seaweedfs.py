"""Does the local S3 server behave as the store that the protocol needs?"""

from __future__ import annotations

from pathlib import Path

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, PreconditionError

from dormouse_operator.dev.ports import free_ports, is_free
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


def test_free_ports_are_distinct() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
