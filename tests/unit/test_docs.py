"""Does the documentation tell the truth? Its modules run, its manifests are valid, its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dormouse.replica.refusal import Reason
from dormouse_operator.api import DurableWorkflow, parse
from dormouse_operator.dev.command import dev
from markdown_blocks import REPOSITORY, blocks, relative_links, write_titled

AUTHORS_PAGE = REPOSITORY / "docs" / "writing-workflows.md"
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
PAGES += sorted((REPOSITORY / "examples").glob("*/README.md"))
PAGES += sorted((REPOSITORY / "charts").glob("*/README.md"))


def named(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A reader's folder with the files of the authors' page."""
    write_titled(AUTHORS_PAGE, tmp_path)
    return tmp_path


def test_the_tests_that_the_authors_page_shows_pass(folder: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_orders.py"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout


def test_every_python_block_is_a_file_that_the_reader_makes_or_runs_by_itself(tmp_path: Path) -> None:
    untitled = [block for page in PAGES for block in blocks(page, "python") if block.title is None]
    for number, block in enumerate(untitled):
        (tmp_path / f"block_{number}.py").write_text(block.text)
        exec(compile(block.text, f"block_{number}.py", "exec"), {"__name__": f"block_{number}"})
    assert untitled


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_manifest_is_valid(page: Path) -> None:
    for block in blocks(page, "yaml"):
        for document in yaml.safe_load_all(block.text):
            if document.get("apiVersion", "").startswith("dormouse.dev/"):
                parse(document)


def test_the_manifests_of_the_authors_page_name_its_module(folder: Path) -> None:
    for file in folder.glob("*.yaml"):
        manifest = parse(yaml.safe_load(file.read_text()))
        assert isinstance(manifest, DurableWorkflow)
        assert (folder / f"{manifest.spec.entrypoint}.py").exists()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_to_a_file(page: Path) -> None:
    missing = [link for link in relative_links(page) if not (page.parent / link.partition("#")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_script_that_is_named_exists(page: Path) -> None:
    mentioned = set(re.findall(r"\bhack/[a-z]+(?:-[a-z]+)*\b", page.read_text()))
    assert [script for script in sorted(mentioned) if not (REPOSITORY / script).exists()] == []


def test_every_page_is_in_the_index() -> None:
    index = relative_links(REPOSITORY / "docs" / "README.md")
    pages = {page.name for page in (REPOSITORY / "docs").glob("*.md")} - {"README.md"}
    assert pages - set(index) == set()


def test_every_option_of_dormouse_dev_is_explained() -> None:
    page = (REPOSITORY / "docs" / "dormouse-dev.md").read_text()
    options = {name for parameter in dev.params for name in parameter.opts}
    assert {name for name in options if f"`{name}" not in page} == set()


def test_every_reason_to_refuse_a_life_is_explained() -> None:
    page = (REPOSITORY / "docs" / "dormouse-dev.md").read_text()
    # Neither can be brought about by `dormouse dev`: it deletes no workflow and writes the settings itself.
    elsewhere = {Reason.DELETING, Reason.RELEASED, Reason.INVALID_SETTINGS}
    assert {reason for reason in Reason if f"`{reason}`" not in page} == elsewhere
