"""Is everything found that a workflow must not do, nothing else, and at its place?"""

from __future__ import annotations

import textwrap

import pytest

from dormouse.lint.check import Finding, check
from dormouse.lint.rules import CODES, RULES

IMPORTS = """
import asyncio, builtins, concurrent.futures, httpx, multiprocessing, os, random, requests, secrets, socket, subprocess
import threading, time, uuid
import datetime as dt
import numpy as np
from datetime import date, datetime, UTC
from pathlib import Path
from random import choice as pick
from time import monotonic
import dormouse
from dormouse import activity, now, workflow
"""


def found_in(body: str, *, module: str = "", parameters: str = "") -> list[Finding]:
    """What is found in a workflow with this body."""
    text = f"{IMPORTS}{textwrap.dedent(module)}\n@workflow\nasync def order({parameters}):\n"
    return check(text + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n", "orders.py")


@pytest.mark.parametrize(
    ("line", "code", "remedy"),
    [
        ("at = datetime.now(UTC)", "clock", "dormouse.now()"),
        ("at = dt.datetime.now()", "clock", "dormouse.now()"),
        ("at = date.today()", "clock", "dormouse.now()"),
        ("begin = time.monotonic()", "clock", "dormouse.now()"),
        ("begin = monotonic()", "clock", "dormouse.now()"),
        ("year = time.localtime().tm_year", "clock", "dormouse.now()"),
        ("time.sleep(1)", "clock", "await asyncio.sleep"),
        ("one = random.choice(['a', 'b'])", "chance", "random.Random(dormouse.random())"),
        ("one = pick(['a', 'b'])", "chance", "random.Random(dormouse.random())"),
        ("one = random.Random().random()", "chance", "dormouse.random()"),
        ("one = np.random.rand()", "chance", "dormouse.random()"),
        ("one = secrets.token_hex()", "chance", "dormouse.random()"),
        ("one = uuid.uuid4()", "chance", "dormouse.uuid4()"),
        ("one = hash('tea')", "chance", "hashlib"),
        ("names = sorted(map(random.randint, [1], [2]))", "chance", "dormouse.random()"),
        ("region = os.environ['REGION']", "environment", "pass it in the input"),
        ("region = os.getenv('REGION')", "environment", "pass it in the input"),
        ("with open('orders.txt') as file: pass", "files", "@activity"),
        ("text = Path('orders.txt').read_text()", "files", "@activity"),
        ("answer = requests.get('http://localhost')", "network", "@activity"),
        ("async with httpx.AsyncClient() as client: pass", "network", "@activity"),
        ("reader, writer = await asyncio.open_connection('localhost', 80)", "network", "@activity"),
        ("threading.Thread(target=print).start()", "threads", "@activity"),
        ("pool = concurrent.futures.ThreadPoolExecutor()", "threads", "@activity"),
        ("await asyncio.to_thread(print)", "threads", "@activity"),
        ("await asyncio.get_running_loop().run_in_executor(None, print)", "threads", "@activity"),
        ("asyncio.run(asyncio.sleep(1))", "threads", "await it"),
        ("subprocess.run(['ls'])", "processes", "@activity"),
        ("await asyncio.create_subprocess_exec('ls')", "processes", "@activity"),
        ("os.system('ls')", "processes", "@activity"),
        ("for item in {'a', 'b'}: pass", "order", "sorted"),
        ("items = list(set(['a']))", "order", "sorted"),
        ("text = ', '.join({str(n) for n in [1]})", "order", "sorted"),
        ("await asyncio.gather(*(asyncio.sleep(len(n)) for n in {'a', 'b'}))", "order", "sorted"),
        ("both = [n for n in set('ab') | set('c')]", "order", "sorted"),
    ],
)
def test_what_may_be_different_in_a_replay_is_found_with_its_remedy(line: str, code: str, remedy: str) -> None:
    (finding,) = found_in(line)
    assert (finding.code, finding.path, finding.line) == (code, "orders.py", IMPORTS.count("\n") + 4)
    assert remedy in finding.remedy
    assert "in workflow order" in finding.message


@pytest.mark.parametrize(
    "body",
    [
        "at = now()",
        "at = dormouse.now() + dt.timedelta(days=3)",
        "at = datetime.fromtimestamp(0, UTC)",
        "at = time.time()",  # says what now() says
        "text = time.strftime('%Y', time.gmtime(0))",
        "one = dormouse.random(), dormouse.uuid4()",
        "one = random.Random(dormouse.random()).choice('ab')",
        "one = uuid.uuid5(uuid.NAMESPACE_URL, 'tea')",
        "path = Path('a') / 'b'; name = os.path.join('a', path.name)",
        "await asyncio.sleep(1); await asyncio.gather(asyncio.sleep(1)); queue = asyncio.Queue()",
        "try:\n    pass\nexcept (requests.RequestException, subprocess.CalledProcessError): pass",
        "x: threading.Thread | None = None",
        "isinstance(None, threading.Thread)",
        "for item in sorted({'a', 'b'}): pass",
        "for digit in {1, 2, 3}: pass",
        "if 'a' in {'a', 'b'}: pass",
        "longest = max(len(name) for name in {'a', 'b'})",
        "seen = set()\nseen.add('a')\nassert len(seen) == 1",
        "names = {'a': 1}\nfor name in names: pass",
        "done, waiting = await asyncio.wait([])\nfor task in done: pass",
        "random = [1]\nrandom.choice = 2",
        "def open(name): return name\nopen('a')",
        "@activity\nasync def read():\n    return open('a').read()\nawait read()",
    ],
)
def test_what_is_the_same_in_a_replay_is_not_found(body: str) -> None:
    assert found_in(body) == []


def test_a_variable_that_is_a_set_is_known_as_one() -> None:
    assert [one.code for one in found_in("seen = set()\nseen.add('a')\nfor item in seen: pass")] == ["order"]
    assert [one.code for one in found_in("for item in items: pass", parameters="items: set[str]")] == ["order"]
    assert found_in("for item in items: pass", parameters="items: set[int]") == []
    assert found_in("seen = set()\nseen = sorted(seen)\nfor item in seen: pass") == []


def test_only_the_code_of_workflows_is_read() -> None:
    module = """
    started = datetime.now()

    @activity(start_to_close_seconds=1)
    def read(): return open(os.environ["PATH"])

    @dormouse.activity
    async def ask(): return requests.get(str(random.random()))

    def main(): subprocess.run([])
    """
    assert found_in("await read()\nawait ask()", module=module) == []


def test_a_plain_function_is_read_when_a_workflow_uses_it() -> None:
    module = """
    def label(): return stamp()
    def stamp(): return f"{datetime.now()}"
    def unused(): return datetime.now()

    class Parcel:
        def __init__(self): self.number = uuid.uuid4()
        def weigh(self): return open("scale")

    @dormouse.workflow
    async def other(): return label()
    """
    stamp, parcel = found_in("map(label, [])\nParcel()", module=module)
    assert "datetime.now" in stamp.message
    assert "in stamp, which workflow other uses" in stamp.message
    assert "in __init__, which workflow order uses" in parcel.message


def test_a_function_inside_of_a_workflow_is_read_with_its_own_names() -> None:
    body = """
    async def inner(time):
        return time.monotonic()

    def stamp():
        import random as chance
        return chance.random()

    key = lambda datetime: datetime.now()
    """
    (finding,) = found_in(body)
    assert finding.message.startswith("chance.random ")


def test_a_variable_of_the_module_is_not_changed() -> None:
    module = "count = 0\ncache = {}\nNAMES = ['a']\n"
    body = "global count\ncount += 1\ncache['a'] = NAMES[0]\ncache.update(b=1)\nNAMES.append('b')"
    assert [one.code for one in found_in(body, module=module)] == ["module-state"] * 4
    assert found_in("cache = {}\ncache['a'] = NAMES.index('a')", module=module) == []


def test_what_is_allowed_with_a_reason_is_not_reported() -> None:
    assert found_in("at = datetime.now()  # dormouse: allow[clock] only for the log") == []
    assert found_in("at = [\n    datetime.now(),  # dormouse: allow[clock] only for the log\n]") == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("at = datetime.now()  # dormouse: allow[clock]", ["says another moment", "has no reason"]),
        ("at = datetime.now()  # dormouse: allow[time] late", ["says another moment", "allow[time] allows nothing"]),
        ("at = datetime.now()  # dormouse: allow late", ["says another moment", "allow[] allows nothing"]),
        ("at = datetime.now()  # dormouse: allow[files] x", ["says another moment", "nothing is found on this line"]),
        ("at = now()  # dormouse: allow[clock] x", ["nothing is found on this line"]),
    ],
)
def test_a_comment_that_allows_nothing_is_reported(line: str, said: list[str]) -> None:
    findings = found_in(line)
    assert len(findings) == len(said)
    assert [words for finding, words in zip(findings, said, strict=True) if words in finding.message] == said


def test_what_cannot_be_parsed_is_a_finding() -> None:
    (finding,) = check("async def order(:\n", "orders.py")
    assert (finding.code, finding.line) == ("syntax", 1)


def test_each_finding_is_one_line_for_people() -> None:
    (finding,) = found_in("at = datetime.now()")
    assert str(finding) == (
        f"orders.py:{finding.line}:10: clock: datetime.now says another moment in each replay (in workflow order); "
        "use dormouse.now()"
    )


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    assert {"clock", "chance", "environment", "files", "network", "threads", "processes", "order"} < set(CODES)
    assert [name for name, rule in RULES.items() if not (rule.why and rule.remedy)] == []
