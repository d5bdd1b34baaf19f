"""How do the arguments of a call become JSON and again arguments?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
import pytest

from dormouse.engine.arguments import Arguments


@dataclass(frozen=True)
class City:
    name: str
    founded: date


def visit(city: City, days: int = 3, *, quiet: bool = False) -> None: ...
def count(city: City, days: int = 3, nights: int = 2) -> None: ...
def total(first: int, *others: float, **named: date) -> None: ...
def plain(value, other=None): ...  # type: ignore[no-untyped-def]


BONN = City("Bonn", date(11, 1, 1))


def test_values_come_back_with_the_types_of_the_annotations() -> None:
    arguments = Arguments(count)
    assert arguments.decode(arguments.encode((BONN, 4), {})) == ((BONN, 4), {})


def test_defaults_that_were_left_out_stay_out() -> None:
    assert Arguments(count).encode((BONN,), {}) == b'[{"name":"Bonn","founded":"0011-01-01"}]'


def test_keywords_and_positions_mean_the_same_call() -> None:
    arguments = Arguments(count)
    assert arguments.encode((), {"days": 5, "city": BONN}) == arguments.encode((BONN, 5), {})


def test_a_default_before_a_given_argument_is_filled_in() -> None:
    arguments = Arguments(count)
    assert arguments.encode((BONN,), {"nights": 9}) == arguments.encode((BONN, 3, 9), {})


def test_keyword_only_parameters_keep_their_types() -> None:
    arguments = Arguments(visit)
    assert arguments.decode(arguments.encode((BONN,), {"quiet": True})) == ((BONN,), {"quiet": True})


def test_variable_parameters_keep_their_types() -> None:
    arguments = Arguments(total)
    written = arguments.encode((1, 2.5, 3.0), {"when": date(2020, 1, 2)})
    assert arguments.decode(written) == ((1, 2.5, 3.0), {"when": date(2020, 1, 2)})


def test_without_annotations_values_are_plain() -> None:
    arguments = Arguments(plain)
    assert arguments.decode(arguments.encode((BONN,), {})) == (({"name": "Bonn", "founded": "0011-01-01"},), {})


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((BONN, 1, 2, 3), {}), ((BONN,), {"weeks": 1})])
def test_a_call_that_python_would_refuse_is_refused(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Arguments(count).encode(args, kwargs)


def test_a_value_without_a_json_form_is_refused_with_the_remedy() -> None:
    with pytest.raises(TypeError, match="has no JSON form; pass dataclasses"):
        Arguments(plain).encode((object(),), {})


def test_a_value_that_does_not_fit_is_named_by_its_path() -> None:
    with pytest.raises(msgspec.ValidationError, match="`days`"):
        Arguments(count).decode(b'[{"name":"Bonn","founded":"0011-01-01"},"three"]')


def test_sets_are_written_in_one_order() -> None:
    arguments = Arguments(plain)
    assert arguments.encode(({"b", "a", "c"},), {}) == b'[["a","b","c"]]'


def test_what_does_not_fit_is_told_with_the_parameters_name() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"Expected `int`, got `str` - at `days`"):
        Arguments(count).decode(b'[{"name":"Bonn","founded":"0011-01-01"},"three"]')
    with pytest.raises(msgspec.ValidationError, match=r"`city.founded`"):
        Arguments(count).decode(b'[{"name":"Bonn","founded":3}]')
    with pytest.raises(msgspec.ValidationError, match=r"`quiet`: Expected `bool`, got `int`"):
        Arguments(visit).decode(b'[[{"name":"Bonn","founded":"0011-01-01"}],{"quiet":3}]')


def test_a_call_that_lacks_an_argument_names_the_function() -> None:
    with pytest.raises(TypeError, match=r"^count\(\): missing a required argument: 'city'$"):
        Arguments(count).encode((), {})


def test_a_value_that_cannot_be_written_is_refused_with_its_parameter() -> None:
    def send(order: object, cents: object = None) -> None: ...

    with pytest.raises(TypeError, match=r"^send\(\): JSON has no NaN .* - at `cents\.net`$"):
        Arguments(send).encode((1, {"net": float("nan")}), {})
    with pytest.raises(TypeError, match=r"^send\(\): .*complex has no JSON form; .* - at `order`$"):
        Arguments(send).encode((1j,), {"cents": 1})
