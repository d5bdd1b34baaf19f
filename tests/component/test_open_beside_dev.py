"""Does `dormouse open` follow the file of a workflow that `dormouse dev` is running, and leave it alone?"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
from dev_runs import Dev, Project

from dormouse_operator.dev.seaweedfs import SeaweedFS

DORMOUSE = Path(sys.executable).with_name("dormouse")
FILE = ".dormouse/pods/default.counter-e1/volumes/data/db.sqlite"


def test_the_pages_go_on_with_a_workflow_of_dev_which_runs_to_its_end_all_the_same(
    tmp_path: Path, seaweedfs: SeaweedFS
) -> None:
    project = Project(tmp_path, seaweedfs)
    command = [str(DORMOUSE), "open", FILE, "--no-browser"]
    with Dev(project, "--until-complete") as dev:
        with (
            project.lingering(5),
            subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as opened,
            httpx.Client(timeout=60) as client,
        ):
            try:
                assert opened.stdout is not None
                url = opened.stdout.readline().split(" on ")[1].split()[0]
                first = events(client, url)
                with client.stream("GET", f"{url}changes") as changes:
                    lines = changes.iter_lines()
                    assert next(line for line in lines if line.startswith("event:")) == "event: change"
                assert events(client, url) > first
            finally:
                opened.terminate()
        code, output = dev.ended()
    assert code == 0, output
    assert project.runs() == list(range(20)), "nothing ran twice"


def events(client: httpx.Client, url: str) -> int:
    page = client.get(f"{url}executions/main").raise_for_status().text
    (count,) = re.findall(r"<dt>events</dt><dd>([0-9,]+)", page)
    return int(count.replace(",", ""))
