"""What goes first, the code or the disk, and does the code wait for it?"""

from __future__ import annotations

from dormouse.engine.pacing import hears_first, is_brief, told_first


def test_half_is_told_first_where_the_code_takes_longer_than_the_disk() -> None:
    assert told_first(400, telling_seconds=0.00002, writing_seconds=0.002) == 200
    assert told_first(400, telling_seconds=0.00002, writing_seconds=0.009) == 400
    assert told_first(10, telling_seconds=0.00002, writing_seconds=0.002) == 10


def test_all_are_told_where_the_disk_is_quicker_than_it_is_to_use_it_beside_the_code() -> None:
    assert told_first(400, telling_seconds=0.00002, writing_seconds=0.0005) == 400


def test_somebody_is_always_told_first() -> None:
    assert told_first(1, telling_seconds=1, writing_seconds=0.1) == 1


def test_the_loop_waits_for_a_disk_that_is_known_to_be_quick() -> None:
    assert is_brief(0.0004)
    assert not is_brief(0.02)
    assert not is_brief(0), "nothing is known of a disk that nothing was written to"


def test_the_code_hears_before_others_are_written_where_neither_takes_long() -> None:
    assert hears_first(50, telling_seconds=0.00001, writing_seconds=0.0004)
    assert not hears_first(50, telling_seconds=0.00001, writing_seconds=0.01), "the disk had better begin"
    assert not hears_first(500, telling_seconds=0.00001, writing_seconds=0.0004), "others wait for the disk"
    assert not hears_first(0, telling_seconds=0.00001, writing_seconds=0.0004)
    assert not hears_first(50, telling_seconds=0.00001, writing_seconds=0), "nothing is known of the disk"
