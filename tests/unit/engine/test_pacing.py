"""What goes first, the code or the disk?"""

from __future__ import annotations

from dormouse.engine.pacing import told_first, waits_for_code


def test_half_is_told_first_where_the_code_takes_longer_than_the_disk() -> None:
    assert told_first(100, telling_seconds=0.00002, writing_seconds=0.0003) == 50
    assert told_first(100, telling_seconds=0.00002, writing_seconds=0.003) == 100
    assert told_first(10, telling_seconds=0.00002, writing_seconds=0.0003) == 10


def test_somebody_is_always_told_first() -> None:
    assert told_first(1, telling_seconds=1, writing_seconds=0) == 1


def test_the_halves_are_written_together_again_where_the_disk_takes_longer() -> None:
    assert waits_for_code(50, 50, telling_seconds=0.00002, writing_seconds=0.005)
    assert not waits_for_code(50, 50, telling_seconds=0.00002, writing_seconds=0.003)


def test_nothing_waits_for_code_that_hears_of_nothing() -> None:
    assert not waits_for_code(0, 100, telling_seconds=0, writing_seconds=1)


def test_nothing_waits_where_nothing_has_arrived() -> None:
    assert not waits_for_code(100, 0, telling_seconds=0, writing_seconds=1)
