"""Is this a request that a workflow can be started with? Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import msgspec

from dormouse.engine.definitions import Workflow, check_what_was_unknown
from dormouse.engine.sealing import keyed_digest
from dormouse.engine.unknown_fields import refuse_unknown_fields, with_fields
from dormouse.errors import InvalidDefinition, InvalidInput

ID_PATTERN = "[A-Za-z0-9][A-Za-z0-9._:-]{0,199}"
_ID = re.compile(ID_PATTERN)


def by_name(workflows: ModuleType | Iterable[Workflow[..., Any]]) -> dict[str, Workflow[..., Any]]:
    """The workflows that a module, or a list, offers.

    Raises:
        InvalidDefinition: when they cannot work, or an activity of theirs cannot.
    """
    check_what_was_unknown()
    candidates: Iterable[object] = vars(workflows).values() if isinstance(workflows, ModuleType) else workflows
    found: dict[str, Workflow[..., Any]] = {}
    for one in candidates:
        if not isinstance(one, Workflow):
            continue
        if found.setdefault(one.name, one) is not one:
            raise InvalidDefinition(f"two workflows are named {one.name!r}; rename one of the functions")
        one.check_messages()
    return found


def check_input(workflow: Workflow[..., Any], payload: bytes | None) -> None:
    """Raises InvalidInput when the workflow cannot be called with this input."""
    workflow.check()
    if payload is None:
        if workflow.needs_input:
            raise InvalidInput(f"the workflow {workflow.name} needs an input")
        return
    if not workflow.takes_input:
        raise InvalidInput(f"the workflow {workflow.name} takes no input; leave it out")
    try:
        # First, because a field that is said to be missing has often only been misspelt.
        refuse_unknown_fields(workflow.input_type, payload)
        workflow.input.decode(payload)
    except msgspec.DecodeError as error:
        what = with_fields(workflow.input_type, error)
        raise InvalidInput(f"the input of {workflow.name} does not fit: {what}") from error


def check_id(execution_id: str | None) -> None:
    """Raises InvalidInput when it cannot be part of a URL and of a key."""
    if execution_id is not None and not _ID.fullmatch(execution_id):
        raise InvalidInput(
            f"{execution_id!r} cannot be an id; use up to 200 letters, digits, dots, colons, dashes and underscores, "
            "beginning with a letter or digit"
        )


def check_text(what: str, text: str | None) -> None:
    """Raises InvalidInput when it cannot be written into the file."""
    try:
        (text or "").encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{what} cannot be written as UTF-8: {text!r} has half of a surrogate pair") from None


CURSOR_PATTERN = "[0-9]{1,18}"  # within SQLite's integers


def page_begins(after: str) -> int:
    """Where a page begins. Raises InvalidInput when it is no `next` of a page."""
    if not re.fullmatch(CURSOR_PATTERN, after):
        raise InvalidInput(f"after must be the `next` of a page, not {after!r}")
    return int(after)


def fingerprint(workflow: str, payload: bytes | None, key: bytes = b"") -> bytes:
    """The same for the same request."""
    return keyed_digest(b"\0".join((workflow.encode(), payload or b"")), key)
