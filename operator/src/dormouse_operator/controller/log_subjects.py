"""Whom is a record of the log about? Each that a step makes is given the object that the step works on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Subject = Mapping[str, object]
"""`namespace`, and `dwf` with its `epoch`, or `store`."""
_KOPFS_OWN = ("settings", "k8s_skip", "k8s_ref")

_subject: ContextVar[Callable[[], Subject] | None] = ContextVar("subject", default=None)


@contextmanager
def about(subject: Callable[[], Subject]) -> Iterator[None]:
    """Within, records are about this; it is asked for each, since an epoch may begin meanwhile."""
    token = _subject.set(subject)
    try:
        yield
    finally:
        _subject.reset(token)


class WithSubject(logging.Filter):
    """For a handler: a record about an object has its names as attributes."""

    def filter(self, record: logging.LogRecord) -> bool:
        known = vars(record)
        reference = known.get("k8s_ref")
        for name in _KOPFS_OWN:
            known.pop(name, None)
        if (subject := _subject.get()) is not None:
            known.update(subject())
        elif isinstance(reference, dict):
            known.update(_of_kopf(reference))
        return True


def _of_kopf(reference: Mapping[str, object]) -> Subject:
    name = {"DurableWorkflow": "dwf", "ObjectStore": "store", "Pod": "pod"}.get(str(reference.get("kind")))
    if name is None or "name" not in reference:
        return {}
    return {"namespace": reference.get("namespace"), name: reference["name"]}
