"""Does a template write what acts, or is no text, as something that is only seen?"""

from __future__ import annotations

import pytest
from markupsafe import Markup

from dormouse.engine.journal import Kind
from dormouse_observer.web.render import Renderer, kind_class, moment_element
from dormouse_observer.web.visible import finalized


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("tea & cake", "tea & cake"),
        ("ümläut", "ümläut"),
        ("two\nlines", "two\nlines"),
        ("\x1b[2J", "␛[2J"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        (7, 7),
        (True, "True"),
        (None, "None"),
        (Markup("<b>"), Markup("<b>")),
    ],
)
def test_what_is_harmless_is_written_as_it_is_and_what_acts_is_pictured(value: object, written: object) -> None:
    found = finalized(value)
    assert (found, type(found)) == (written, type(written))


def test_a_page_escapes_what_is_harmless_to_a_terminal_as_well() -> None:
    page = Renderer().render("payload.html", shown=_Unreadable("<script>&"), base="", row=_Row())
    assert "&lt;script&gt;&amp;" in page


class _Row:
    id = "o-1"


class _Unreadable:
    view = None

    def __init__(self, text: str) -> None:
        self.unreadable = text


def test_every_kind_of_event_has_the_colour_of_what_it_means() -> None:
    found = {kind: kind_class(kind) for kind in Kind}
    assert {kind for kind, name in found.items() if name == "bad"} == {
        *(Kind.ACTIVITY_FAILED, Kind.ATTEMPT_FAILED, Kind.CHILD_FAILED, Kind.UPDATE_FAILED, Kind.EXECUTION_FAILED),
        Kind.APPROVAL_EXPIRED,
    }
    assert found[Kind.TIMER_FIRED] == found[Kind.APPROVAL_DECIDED] == found[Kind.EXECUTION_COMPLETED] == "good"
    assert found[Kind.CANCEL_REQUESTED] == found[Kind.EXECUTION_TERMINATED] == "gone"
    assert found[Kind.SIGNAL_RECEIVED] == found[Kind.UPDATE_ACCEPTED] == "sent"
    assert found[Kind.ACTIVITY_SCHEDULED] == kind_class("SomethingNewer") == "asked"


def test_a_moment_is_for_people_and_for_programs() -> None:
    assert moment_element(1_500) == '<time datetime="1970-01-01T00:00:00.001Z">1970-01-01 00:00:00</time>'
    assert "10000000000000000000 µs" in moment_element(10**19)
