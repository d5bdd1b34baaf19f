"""Does Litestream still do what docs/design.md (§4, §6) says, for good or ill? A newer one that differs fails here.

Nothing of ours takes part: each fact is a reason for a rule of the protocol, and a rule may go when its reason does.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h11
import obstore
import pytest
from litestream_lab import Lab, connected, rows_of, until
from store_proxy import StoreProxy, beside

from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def lab(seaweedfs: SeaweedFS, tmp_path: Path) -> Lab:
    return Lab(tmp_path, seaweedfs)


def replicated_five_times(lab: Lab) -> int:
    """Rows `first`, 0 ... 4, each in a transaction of its own in the store; the last position."""
    lab.write("first")
    with lab.replicating() as litestream:
        position = litestream.replicated()
        for number in range(5):
            lab.write(str(number))
            position = litestream.replicated()
    return position


def test_the_transactions_of_a_new_prefix_begin_at_1_with_the_whole_database(lab: Lab, tmp_path: Path) -> None:
    assert replicated_five_times(lab) > 1
    other = lab.moved_to(tmp_path / "other", f"{lab.prefix}-other")
    with closing(connected(lab.database)) as connection:
        connection.execute("VACUUM INTO ?", (str(other.database),))
    with other.replicating() as litestream:
        assert litestream.replicated() == 1
    assert list(other.objects()) == ["0000/0000000000000001-0000000000000001.ltx"]
    assert other.restore().rows == rows_of(lab.database)


def test_a_wiped_volume_goes_on_in_the_same_prefix_as_if_it_were_the_same_database(lab: Lab, tmp_path: Path) -> None:
    position = replicated_five_times(lab)
    wiped = lab.moved_to(tmp_path / "wiped")
    wiped.write("of another life")
    with wiped.replicating() as litestream:
        until(lambda: litestream.sync().txid > position)
        assert litestream.replicated() > position
    restored = wiped.restore()
    assert (restored.code, restored.rows) == (0, ["of another life"])


@pytest.mark.parametrize("recovers", [True, False])
def test_auto_recovery_starts_the_positions_again_below_what_is_replicated(lab: Lab, recovers: bool) -> None:
    proxy = StoreProxy(lab.server.port)
    with beside(proxy):
        lab.endpoint = proxy.endpoint
        lab.write("first")
        with lab.replicating(auto_recover=recovers) as litestream:
            position = litestream.replicated()
            proxy.fail = lambda request: request.method == b"PUT"
            for waiting in range(1, 4):
                lab.write(f"waits {waiting}")
                until(lambda waiting=waiting: litestream.sync().txid >= position + waiting)  # type: ignore[misc]
            missing = f"{position + 2:016x}-{position + 2:016x}.ltx"
            (lab.folder / ".db.sqlite-litestream" / "ltx" / "0" / missing).unlink()
            proxy.fail = None
            if recovers:
                until(lambda: (synced := litestream.sync()).txid < synced.replicated_txid)
            else:
                until(lambda: missing in lab.log())
                assert litestream.sync().txid > position
                assert "auto-recovery" not in lab.log()


def test_a_restore_by_time_ends_at_a_gap_without_a_word(lab: Lab) -> None:
    position = replicated_five_times(lab)
    level = sorted(lab.objects(0))
    assert len(level) == position
    for key in set(lab.objects()) - set(level):
        obstore.delete(lab.server.client(), f"{lab.prefix}/{key}")
    obstore.delete(lab.server.client(), f"{lab.prefix}/{level[2]}")
    later = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    by_time, by_position = lab.restore("-timestamp", later), lab.restore("-txid", f"{position:016x}")
    assert by_time.code == 0
    assert by_time.rows == rows_of(lab.database)[: len(by_time.rows or ())]
    assert len(by_time.rows or ()) < 6
    assert (by_position.code, by_position.rows) == (1, None)
    assert lab.restore().code == 1


def test_a_database_that_is_locked_exclusively_is_not_replicated_and_said_to_be(lab: Lab) -> None:
    lab.write("first")
    with closing(connected(lab.database)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("INSERT INTO note VALUES ('alone')")
        with lab.replicating() as litestream:
            until(lambda: "database is locked" in lab.log() or "busy" in lab.log())
            listed = litestream.listed()
            assert listed is not None
            assert (listed["status"], "last_sync_at" in listed) == ("replicating", False)
    assert lab.objects() == {}


def test_with_the_store_down_it_says_replicating_and_ends_well_with_rows_lost(lab: Lab) -> None:
    proxy = StoreProxy(lab.server.port)
    with beside(proxy) as cut:
        lab.endpoint = proxy.endpoint
        lab.write("first")
        with lab.replicating(shutdown_sync_timeout="500ms") as litestream:
            position = litestream.replicated()
            cut()
            lab.write("lost")
            until(lambda: litestream.sync().txid > position)
            synced, listed = litestream.sync(), litestream.listed()
            assert synced.replicated_txid == position
            assert listed is not None
            assert listed["status"] == "replicating"
            assert litestream.terminate() == 0
    lab.endpoint = ""
    assert lab.restore().rows == ["first"]


def test_told_to_end_before_its_first_look_at_a_leftover_wal_it_ends_well_and_loses_what_is_in_it(lab: Lab) -> None:
    lab.write("first")
    with lab.replicating() as litestream:
        litestream.replicated()
    with closing(connected(lab.database)) as writer:  # whoever closes a database as the last one empties its WAL
        writer.execute("INSERT INTO note VALUES ('lost')")
        with lab.replicating(monitor_interval="1h") as litestream:
            assert litestream.terminate() == 0
        assert lab.restore().rows == ["first"]
        assert lab.replicate_once() == 0
    assert lab.restore().rows == ["first", "lost"]


def test_a_sync_that_does_not_wait_answers_both_positions_at_once(lab: Lab) -> None:
    lab.write("first")
    with lab.replicating() as litestream:
        position = litestream.replicated()
        lab.write("second")
        until(lambda: litestream.sync().txid == position + 1)
        until(lambda: litestream.sync().replicated_txid == position + 1)
        assert litestream.replicated() == position + 1


def test_a_sync_makes_no_position_without_a_change(lab: Lab) -> None:
    lab.write("first")
    with lab.replicating() as litestream:
        position = litestream.replicated()
        assert {litestream.sync().txid for _ in range(20)} == {position}


def test_it_makes_two_tables_of_its_own_in_the_database(lab: Lab) -> None:
    lab.write("first")
    with lab.replicating() as litestream:
        litestream.replicated()
    with closing(sqlite3.connect(lab.database)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert names == {"note", "_litestream_seq", "_litestream_lock"}


def test_a_bundle_of_certificates_in_its_environment_keeps_it_from_starting(lab: Lab) -> None:
    lab.write("first")
    bundle = lab.folder / "ca.crt"
    bundle.write_text("")
    with lab.replicating(environment={**lab.environment(), "AWS_CA_BUNDLE": str(bundle)}) as litestream:
        assert litestream.process.wait(20) == 1
    assert "unable to add custom RootCAs" in lab.log()


def test_a_run_of_once_takes_all_that_a_killed_writer_left_in_the_wal(lab: Lab) -> None:
    rows = [str(number) for number in range(100)]
    lab.write(*rows)
    assert lab.replicate_once() == 0
    assert lab.restore().rows == rows


def test_a_vacuum_uploads_the_whole_database_again(lab: Lab) -> None:
    lab.write(*(hashed.hex() for hashed in map(_noise, range(100))))
    with lab.replicating() as litestream:
        litestream.replicated()
        before = sum(lab.objects(0).values())
        with closing(connected(lab.database)) as connection:
            connection.execute("VACUUM")
        litestream.replicated()
        assert sum(lab.objects(0).values()) > 1.8 * before


def test_commits_that_nobody_asks_for_are_uploaded_together_once_a_monitor_interval(lab: Lab) -> None:
    """So `Async` pays for seconds, and a barrier, which asks, has not to wait for the interval."""
    lab.write("first")
    with lab.replicating(monitor_interval="3s") as litestream:
        first = litestream.replicated()
        for asked in range(first + 1, first + 21):
            lab.write(f"asked {asked}")
            assert litestream.replicated() == asked
        lab.write(*(f"not asked {number}" for number in range(50)))
        until(lambda: len(lab.objects(0)) > asked)
        assert litestream.replicated() <= asked + 10
    assert lab.restore().rows == rows_of(lab.database)


def test_its_control_socket_keeps_a_connection_and_says_how_long_an_answer_is(lab: Lab) -> None:
    lab.write("first")
    with lab.replicating() as litestream:
        litestream.replicated()
        with closing(http.client.HTTPConnection("litestream")) as connection:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(lab.folder / "ls.sock"))
            for _ in range(2):
                connection.request("POST", "/sync", json.dumps({"path": str(lab.database)}))
                answer = connection.getresponse()
                assert (answer.status, answer.will_close) == (200, False)
                assert answer.getheader("Content-Length") == str(len(answer.read()))


def test_a_restore_lists_each_level_again_and_again(lab: Lab) -> None:
    replicated_five_times(lab)
    asked: list[h11.Request] = []
    proxy = StoreProxy(lab.server.port, fail=lambda request: bool(asked.append(request)))  # type: ignore[func-returns-value]
    with beside(proxy):
        lab.endpoint = proxy.endpoint
        assert lab.restore().code == 0
    lists = [request for request in asked if b"list-type" in request.target]
    assert 20 <= len(lists) <= 60


def test_a_restore_from_a_slow_store_is_whole(lab: Lab) -> None:
    replicated_five_times(lab)
    proxy = StoreProxy(lab.server.port, delay_seconds=0.1)
    with beside(proxy):
        lab.endpoint = proxy.endpoint
        restored = lab.restore()
    assert (restored.code, restored.rows) == (0, ["first", "0", "1", "2", "3", "4"])


@pytest.mark.long
@pytest.mark.timeout(200)
def test_a_restore_from_a_store_that_cannot_be_reached_does_not_fail_within_a_minute(lab: Lab) -> None:
    """So whoever restores needs a deadline of its own."""
    replicated_five_times(lab)
    lab.endpoint = "http://127.0.0.1:9"
    with pytest.raises(subprocess.TimeoutExpired):
        lab.restore(seconds=60)


def test_a_restore_that_may_not_read_what_it_has_listed_fails_and_leaves_no_file(lab: Lab) -> None:
    replicated_five_times(lab)
    proxy = StoreProxy(lab.server.port, fail=lambda request: b".ltx" in request.target, status=403)
    with beside(proxy):
        lab.endpoint = proxy.endpoint
        restored = lab.restore()
    assert restored.code == 1
    assert restored.rows is None


def _noise(number: int) -> bytes:
    """What does not compress, the same in every run."""
    return b"".join(hashlib.sha256(f"{number} {part}".encode()).digest() for part in range(32))
