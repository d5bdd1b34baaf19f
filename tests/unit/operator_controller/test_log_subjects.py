"""Does a record say whom it is about, and nothing of kopf's insides?"""

from __future__ import annotations

import logging
from typing import Any

from dormouse_operator.controller.log_subjects import WithSubject, about

REFERENCE = {"apiVersion": "dormouse.dev/v1alpha1", "kind": "ObjectStore", "name": "default", "namespace": "team"}


def told(**attributes: Any) -> dict[str, Any]:
    record = logging.makeLogRecord({"msg": "hello", **attributes})
    plain = vars(logging.makeLogRecord({"msg": "hello"})).keys()
    assert WithSubject().filter(record)
    return {name: value for name, value in vars(record).items() if name not in plain}


def test_a_record_outside_of_a_step_is_about_nobody() -> None:
    assert told() == {}


def test_a_record_within_a_step_is_about_its_object_as_it_is_then() -> None:
    subject: dict[str, object] = {"namespace": "team", "dwf": "report"}
    with about(lambda: subject):
        assert told() == subject
        subject["epoch"] = 1
        assert told() == subject
    assert told() == {}


def test_what_kopf_says_of_an_object_is_told_in_our_words() -> None:
    assert told(k8s_ref=REFERENCE, k8s_skip=True, settings=object()) == {"namespace": "team", "store": "default"}
    assert told(k8s_ref={**REFERENCE, "kind": "Namespace"}) == {}
