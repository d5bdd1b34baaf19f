"""Is bytecode in the images of all that a pod imports? The image that they start from has none of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from markdown_blocks import REPOSITORY

_UNCOMPILED = """
import importlib, os, sys, sysconfig
for name in sys.argv[1:]:
    importlib.import_module(name)
library = sysconfig.get_path("stdlib") + os.sep
packages = sysconfig.get_path("purelib") + os.sep
known = [(module.__file__, module.__cached__) for module in list(sys.modules.values()) if hasattr(module, "__cached__")]
of_library = [each for each in known if each[0] and each[1] and each[0].startswith(library)]
print(len(of_library), *(file for file, cached in of_library if not os.path.exists(cached)), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize(
    ("image", "modules"),
    [
        ("worker", ("dormouse.keeper.process", "dormouse.runtime.life")),
        ("operator", ("dormouse_operator.controller.running",)),
    ],
)
def test_an_image_compiles_the_library_of_its_python(image: str, modules: tuple[str, ...], tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    subprocess.run(["sh", "-c", compiling(image)], env=environment, timeout=300, check=True)
    command = [sys.executable, "-c", _UNCOMPILED, *modules]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    imported, *uncompiled = ran.stdout.split()
    assert int(imported) > 30
    assert uncompiled == []


def compiling(image: str) -> str:
    """What its Containerfile runs."""
    lines = (REPOSITORY / image / "Containerfile").read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    (found,) = [line for line in lines if line.startswith("RUN python -m compileall ")]
    return found.removeprefix("RUN ")
