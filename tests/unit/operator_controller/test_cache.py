"""Does the cache come to the truth, in whatever order it is told?"""

from __future__ import annotations

from itertools import permutations
from typing import Any

from dormouse_operator.controller.cache import Cache
from dormouse_operator.controller.resources import controller_of


def pod(version: int, uid: str = "one", owner: str = "", name: str = "report-e1") -> dict[str, Any]:
    owners = [{"uid": owner, "controller": True}] if owner else []
    metadata = {"namespace": "team", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": {**metadata, "ownerReferences": owners}}


KEY = ("team", "report-e1")


def test_the_newest_version_wins_in_any_order() -> None:
    for order in permutations([pod(1), pod(2), pod(30)]):
        cache = Cache()
        for document in order:
            cache.put(document)
        assert cache.get(KEY) == pod(30)


def test_the_same_version_is_no_news() -> None:
    cache = Cache()
    assert cache.put(pod(2))
    assert not cache.put(pod(2))
    assert not cache.put(pod(1))


def test_a_deleted_object_does_not_come_back_with_a_late_event() -> None:
    cache = Cache()
    cache.put(pod(2))
    assert cache.drop(pod(3))
    assert not cache.put(pod(2))
    assert cache.get(KEY) is None


def test_an_object_that_only_lost_its_label_is_there_again_with_its_next_version() -> None:
    cache = Cache()
    cache.put(pod(2))
    cache.drop(pod(3))
    assert not cache.put(pod(3))
    assert cache.put(pod(4))
    assert cache.get(KEY) == pod(4)


def test_what_a_list_does_not_have_comes_back_by_no_event_of_before_the_list() -> None:
    cache = Cache()
    cache.put(pod(2))
    cache.drop(pod(2), 9)
    assert not cache.put(pod(5))
    assert cache.put(pod(10))


def test_what_is_gone_since_nobody_knows_when_never_comes_back() -> None:
    cache = Cache()
    cache.put(pod(2))
    cache.drop({"metadata": {"namespace": "team", "name": "report-e1", "uid": "one"}})
    assert not cache.put(pod(99))


def test_what_was_read_just_now_is_there_whatever_the_watches_told() -> None:
    cache = Cache()
    cache.put(pod(2))
    cache.drop(pod(3))
    assert cache.found(pod(3))
    assert cache.get(KEY) == pod(3)


def test_a_late_deletion_leaves_the_next_object_of_that_name() -> None:
    cache = Cache()
    cache.put(pod(5, uid="two"))
    assert not cache.drop(pod(4, uid="one"))
    assert cache.get(KEY) == pod(5, uid="two")


def test_what_a_list_has_not_is_absent() -> None:
    cache = Cache()
    cache.put(pod(2))
    assert cache.absent(frozenset(), 9, cache.keys_of()) == (pod(2),)


def test_what_is_newer_than_a_list_is_not_absent() -> None:
    cache = Cache()
    cache.put(pod(12))
    assert cache.absent(frozenset(), 9, cache.keys_of()) == ()


def test_of_a_part_only_that_is_looked_at() -> None:
    cache = Cache()
    cache.put(pod(2))
    cache.put(pod(3, uid="two", name="report-e2"))
    assert cache.absent(frozenset(), 9, [KEY]) == (pod(2),)
    assert cache.absent(frozenset({"one"}), 9, cache.keys_of()) == (pod(3, uid="two", name="report-e2"),)
    assert cache.absent(frozenset(), 9, [("team", "another")]) == ()


def test_objects_are_found_by_who_controls_them_and_only_while_it_does() -> None:
    cache = Cache(controller_of)
    cache.put(pod(1, owner="dwf"))
    cache.put(pod(2, uid="two", owner="dwf", name="report-e2"))
    assert [document["metadata"]["name"] for document in cache.group("dwf")] == ["report-e1", "report-e2"]
    cache.put(pod(3))
    cache.drop(pod(4, uid="two", owner="dwf", name="report-e2"))
    assert cache.group("dwf") == ()


def test_the_members_of_a_group_keep_their_places_when_they_change() -> None:
    cache = Cache(controller_of)
    cache.put(pod(1, owner="dwf"))
    cache.put(pod(2, uid="two", owner="dwf", name="report-e2"))
    cache.put(pod(3, owner="dwf"))
    assert list(cache.members("dwf")) == [pod(3, owner="dwf"), pod(2, uid="two", owner="dwf", name="report-e2")]
    cache.put(pod(4, owner="other"))
    assert [each["metadata"]["name"] for each in cache.members("dwf")] == ["report-e2"]
    assert list(cache.members("other")) == [pod(4, owner="other")]
