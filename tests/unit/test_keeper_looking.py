"""When is an upload looked for, so that nobody waits for long and few questions are asked?"""

from __future__ import annotations

from itertools import accumulate, islice, pairwise, takewhile

import pytest

from dormouse.keeper.looking import FirstLook


def after(first: FirstLook, uploads: int, seconds: float) -> list[bool]:
    """Whether each of so many uploads was there at the first look."""
    seen = []
    for _ in range(uploads):
        seen.append(first.seconds >= seconds)
        first.saw(seen[-1])
    return seen


def looks(first: FirstLook, seconds: float) -> list[float]:
    """The moments at which an upload that takes so long is looked for; the last one finds it."""
    moments = accumulate(first.later(), initial=first.seconds)
    before = list(takewhile(lambda moment: moment < seconds, moments))
    return list(islice(accumulate(first.later(), initial=first.seconds), len(before) + 1))


@pytest.mark.parametrize("seconds", [0.002, 0.005, 0.05, 0.15])
def test_one_upload_in_three_is_there_at_the_first_look_however_long_they_take(seconds: float) -> None:
    first = FirstLook()
    after(first, 150, seconds)
    seen = after(first, 300, seconds)
    assert 0.25 < sum(seen) / len(seen) < 0.4
    assert 0.85 * seconds < first.seconds < 1.1 * seconds


@pytest.mark.parametrize("seconds", [0.002, 0.005, 0.05, 0.15])
def test_an_upload_that_takes_what_they_take_is_found_by_few_looks_and_not_long_after_it_is_there(
    seconds: float,
) -> None:
    first = FirstLook()
    after(first, 300, seconds)
    found = looks(first, seconds)
    assert len(found) <= 4
    assert found[-1] <= 1.25 * seconds


def test_one_slow_upload_hardly_moves_the_next_look() -> None:
    first = FirstLook()
    after(first, 300, 0.005)
    before = first.seconds
    after(first, 1, 30.0)
    assert first.seconds < 1.06 * before


def test_an_outage_of_a_thousand_uploads_delays_the_first_look_by_a_fifth_of_a_second_at_most() -> None:
    first = FirstLook()
    after(first, 1000, 30.0)
    assert first.seconds == pytest.approx(0.2)
    after(first, 60, 0.005)
    assert first.seconds < 0.006


def test_what_takes_long_is_asked_for_ever_more_rarely() -> None:
    found = looks(FirstLook(), 30.0)
    gaps = [later - sooner for sooner, later in pairwise(found)]
    assert all(later > sooner - 1e-9 for sooner, later in pairwise(gaps))
    assert gaps[0] == pytest.approx(0.0005)
    assert gaps[-1] == pytest.approx(0.05)
