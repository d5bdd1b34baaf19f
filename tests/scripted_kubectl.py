"""What would a verb do if kubectl answered like this? A program of that name in a folder for PATH, with set answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = """#!{python} -SE
import json, pathlib, re, sys
folder, line = pathlib.Path(__file__).parent, " ".join(sys.argv[1:])
said = sys.stdin.read() if line.startswith(("create", "patch")) else ""
with (folder / "asked").open("a") as log:
    log.write(json.dumps([line, said]) + "\\n")
for pattern, output, error in json.loads((folder / "answers.json").read_text()):
    if re.search(pattern, line):
        sys.stdout.write(output)
        sys.stderr.write(error)
        sys.exit(1 if error else 0)
sys.exit("error: nobody has said what to answer to kubectl " + line)
"""


@dataclass(frozen=True)
class Refusal:
    """It ends with an error, and these words, after it has printed something."""

    words: str
    output: str = ""


@dataclass(frozen=True)
class ScriptedKubectl:
    """The first pattern that is found in the arguments has the answer."""

    folder: Path

    @classmethod
    def in_folder(cls, folder: Path) -> ScriptedKubectl:
        folder.mkdir(exist_ok=True)
        program = folder / "kubectl"
        program.write_text(_PROGRAM.format(python=sys.executable))
        program.chmod(0o755)
        return cls(folder)

    def answers(self, answers: Mapping[str, Any]) -> None:
        """Text as it is, a Refusal, or a document."""
        lines = []
        for pattern, answer in answers.items():
            if isinstance(answer, Refusal):
                lines.append([pattern, answer.output, answer.words])
            else:
                lines.append([pattern, answer if isinstance(answer, str) else json.dumps(answer), ""])
        (self.folder / "answers.json").write_text(json.dumps(lines))

    def asked(self) -> list[str]:
        """The command lines so far."""
        return [json.loads(line)[0] for line in (self.folder / "asked").read_text().splitlines()]

    def given(self) -> str:
        """All that it was given to read."""
        return "".join(json.loads(line)[1] for line in (self.folder / "asked").read_text().splitlines())
