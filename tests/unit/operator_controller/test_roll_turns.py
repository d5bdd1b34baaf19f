"""Who may roll, when only so many may at once?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dormouse_operator.controller.resources import WORKFLOWS, Document, Key
from dormouse_operator.controller.turns import RollTurns
from dormouse_operator.controller.world import World


def turns(most: int, begun: bool = True) -> tuple[RollTurns, list[Key]]:
    woken: list[Key] = []
    made = RollTurns(most, woken.append)
    if begun:
        made.begin()
    return made, woken


def key(name: str, namespace: str = "team") -> Key:
    return namespace, name


def workflow(name: str, version: int, rolling: bool) -> Document:
    status = {"rollingSince": "2026-03-01T12:00:00Z"} if rolling else {}
    metadata = {"namespace": "team", "name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"storage": {"storeRef": {"name": "local"}}}, "status": status}


def test_without_a_bound_everybody_has_it_at_once() -> None:
    made, woken = turns(0, begun=False)
    assert made.has(key("a"))
    assert made.ask(key("a"))
    assert woken == []


def test_before_every_status_is_known_nobody_gets_one() -> None:
    made, woken = turns(2, begun=False)
    assert not made.ask(key("a"))
    made.saw(key("b"), is_rolling=True)
    made.saw(key("c"), is_rolling=True)
    made.begin()
    assert woken == []
    made.saw(key("c"), is_rolling=False)
    assert woken == [key("a")]


def test_the_bound_holds_between_the_answer_and_the_status() -> None:
    made, woken = turns(1)
    assert made.ask(key("a"))
    assert not made.ask(key("b"))
    made.saw(key("a"), is_rolling=True)
    assert not made.ask(key("b"))
    assert woken == [key("a")]
    made.saw(key("a"), is_rolling=False)
    assert woken == [key("a"), key("b")]
    assert made.has(key("b"))


def test_who_does_not_roll_after_all_lets_the_next_one() -> None:
    made, woken = turns(1)
    assert made.ask(key("a"))
    assert not made.ask(key("b"))
    made.give_back(key("a"))
    assert (made.has(key("a")), made.has(key("b"))) == (False, True)
    assert woken == [key("a"), key("b")]


def test_namespaces_take_turns() -> None:
    made, woken = turns(1)
    assert made.ask(key("first", "noisy"))
    for name in ("a", "b", "c"):
        assert not made.ask(key(name, "noisy"))
    assert not made.ask(key("one", "quiet"))
    for _ in range(4):
        made.give_back(woken[-1])
    assert woken[1:] == [key("a", "noisy"), key("one", "quiet"), key("b", "noisy"), key("c", "noisy")]


def test_a_replica_that_leads_no_more_forgets_who_waited() -> None:
    made, woken = turns(1)
    made.ask(key("a"))
    made.ask(key("b"))
    made.end()
    assert not made.has(key("a"))
    made.saw(key("c"), is_rolling=True)
    made.begin()
    made.saw(key("c"), is_rolling=False)
    assert woken == [key("a")]


def test_the_cache_tells_who_rolls() -> None:
    told: list[tuple[Key, bool]] = []
    world = World(lambda _: None, lambda *said: told.append(said))
    world.put(WORKFLOWS, workflow("a", 1, rolling=True))
    world.put(WORKFLOWS, workflow("a", 2, rolling=False))
    world.put(WORKFLOWS, workflow("a", 1, rolling=True))  # too late: the newer one is known
    world.put(WORKFLOWS, workflow("b", 3, rolling=True))
    world.compare(WORKFLOWS, {workflow("b", 3, rolling=True)["metadata"]["uid"]}, 3, world.keys(WORKFLOWS, None))
    world.drop(WORKFLOWS, workflow("b", 4, rolling=True))
    assert told == [
        (key("a"), True),
        (key("a"), False),
        (key("b"), True),
        (key("a"), False),
        (key("b"), False),
    ]


@given(st.integers(1, 3), st.lists(st.tuples(st.sampled_from("asvg"), st.integers(0, 5)), max_size=60))
def test_never_more_than_the_bound_and_nobody_is_forgotten(most: int, happens: list[tuple[str, int]]) -> None:
    made, woken = turns(most)
    rolling: set[Key] = set()
    for what, number in happens:
        one = key(str(number), f"namespace-{number % 2}")
        if what == "a":
            made.ask(one)
        elif what == "s" and made.has(one):
            rolling.add(one)
            made.saw(one, is_rolling=True)
        elif what == "v":
            rolling.discard(one)
            made.saw(one, is_rolling=False)
        else:
            made.give_back(one)
        assert rolling == {each for each in rolling if made.has(each)}
        assert sum(made.has(key(str(each), f"namespace-{each % 2}")) for each in range(6)) <= most
    last = key("last", "elsewhere")
    if not made.ask(last):
        for _ in range(20):
            for each in range(6):
                made.saw(key(str(each), f"namespace-{each % 2}"), is_rolling=False)
                made.give_back(key(str(each), f"namespace-{each % 2}"))
        assert last in woken
