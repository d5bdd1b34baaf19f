"""Breaks the keeper on purpose, to show that the chaos tests would notice.

Copied into a project's folder as `sitecustomize.py`, which Python imports at its start, beside a file `SABOTAGE` that
says what to break: `upload` acknowledges without waiting for it, `ownership` without reading CURRENT again.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any


def _break_upload(module: Any) -> None:
    async def uploaded(self: object) -> int:
        return 1

    def next_step(uploaded: bool, replicated: bool, confirmed: bool) -> object:
        return in_order(uploaded, True, confirmed)

    in_order = module.next_step
    module.next_step = next_step
    module.Barriers._uploaded = uploaded


def _break_ownership(module: Any) -> None:
    async def confirm(self: Any, fetch: bool = False) -> None:
        self.proven_at = module.boot_seconds()  # or the runtime would fence itself

    module.Ownership.confirm = confirm
    module.Ownership.confirm_by_reading = confirm


_BREAKS = {
    "upload": ("dormouse.keeper.barrier", _break_upload),
    "ownership": ("dormouse.keeper.ownership", _break_ownership),
}


_CHOICE = Path(__file__).with_name("SABOTAGE")


class _Saboteur(importlib.abc.MetaPathFinder):
    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the import system passes it
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        wanted, damage = _BREAKS[_CHOICE.read_text()]
        if name != wanted:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            damage(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if _CHOICE.exists():
    sys.meta_path.insert(0, _Saboteur())
