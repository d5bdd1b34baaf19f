"""Do the pages show what is in a file, whatever that is, and nothing else? Asked as a browser asks, without one."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest
from asked_pages import Client, asking
from observed_files import HOSTILE, describe, go_on, long_history, make

from dormouse.encryption import AesGcm
from dormouse_observer.web.prices import Price, PriceList
from dormouse_observer.web.security import POLICY


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("observed") / "orders.sqlite")


@pytest.fixture
def client(file: Path) -> Iterator[Client]:
    with asking(file) as client:
        yield client


def ids(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/executions/([^"]+)"', page)


def test_the_list_says_of_each_execution_where_it_stands(client: Client) -> None:
    page = client.get("/").text
    assert set(ids(page)) >= {"order-1", "order-2", "order-3", "refund-1", "nap-1", "evil-1", "parcels-1"}
    assert "It waits for a timer, until" in page
    assert "It waits for the approval refund with the digest" in page
    assert "It waits for activity never, attempt 2 at" in page
    assert "It failed after" in page
    assert "It completed in" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?state=Failed", ["order-3"]),
        ("?q=ORDER-", ["order-3", "order-2", "order-1"]),
        ("?q=order-&sort=oldest", ["order-1", "order-2", "order-3"]),
        ("?q=%25", []),
        ("?workflow=nap", ["nap-1"]),
        ("?workflow=parcels&state=Completed", ["parcels-1"]),
        ("?until=2001-01-01", []),
        ("?since=2001-01-01&q=refund-1", ["refund-1"]),
    ],
)
def test_the_list_is_filtered_and_ordered_by_its_url(client: Client, query: str, found: list[str]) -> None:
    assert ids(client.get(f"/{query}").text) == found


def test_a_long_list_is_paged_through_by_its_links(tmp_path: Path) -> None:
    database = long_history(tmp_path / "many.sqlite", 1)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO execution (key, id, workflow, status, seed, request, started_at, closed_at) "
            "VALUES (?, ?, 'agent', 'Completed', x'00', x'00', 1, 2)",
            [(key, f"e-{key}") for key in range(2, 131)],
        )
    seen: list[str] = []
    with asking(database) as client:
        path: str | None = "/"
        while path is not None:
            page = client.get(path).text
            seen += ids(page)
            found = re.search(r'href="(\?[^"]+)" id="next-page"', page)
            path = None if found is None else "/" + found[1].replace("&amp;", "&")
    assert seen == [*(f"e-{key}" for key in range(130, 1, -1)), "long-1"]


def test_an_execution_has_its_values_its_events_and_its_family(client: Client) -> None:
    page = client.get("/executions/order-2").text
    assert "paid 250" in page
    assert "SignalReceived" in page
    family = client.get("/executions/parcels-1").text
    child = re.findall(r'href="/executions/(parcels-1\.[^"]+)"', family)[0]
    assert 'href="/executions/parcels-1">parcels-1</a>' in client.get(f"/executions/{child}").text
    failed = client.get("/executions/order-3").text
    assert "return await charge(250)" in failed, "the traceback has its line of source"
    assert "dormouse retry TARGET order-3" in failed
    assert "dormouse retry" not in client.get("/executions/order-2").text
    pending = client.get("/executions/stubborn-1").text
    assert "the shop does not answer" in pending
    assert "stock" in client.get("/").text, "the table of the workflow's own"


def test_what_an_agent_said_and_did_is_a_conversation_with_links_to_its_events(client: Client) -> None:
    page = client.get("/executions/agent-1/agent").text
    for said in (
        "The kettle that you sent me leaks.",
        "look_up_order",
        "gpt-5-mini",
        "212 tokens in, 31 out",
        "$0.0004",
    ):
        assert said in page, said
    assert page.count("You help customers of a shop") == 1, "each message once"
    links = re.findall(r'href="(/executions/agent-1/events/\d+)"', page)
    assert all(client.get(link).status_code == 200 for link in links)
    assert len(links) >= 5
    assert "No call here is one of a model" in client.get("/executions/order-3/agent").text
    evil = client.get("/executions/evil-1/agent").text
    assert "gnp.exe" in evil
    assert "<script>alert" not in evil


def test_only_an_agent_has_the_tab_of_one(client: Client) -> None:
    has = {one: '/agent"' in client.get(f"/executions/{one}").text for one in ("agent-1", "order-3", "evil-1", "nap-1")}
    assert has == {"agent-1": True, "order-3": False, "evil-1": False, "nap-1": False}


def test_an_agents_calls_cost_what_the_list_says_unless_that_was_told(file: Path) -> None:
    day = dt.date(2026, 5, 1)
    with asking(file, prices=PriceList(day, {"gpt-5-mini": Price(1, 1)})) as client:
        page = client.get("/executions/agent-1/agent").text
        assert "392 tokens in, 32 out · $0.0004 by the price list" in page
        assert "212 tokens in, 31 out · $0.0004</span>" in page, "the provider has told it"
        assert "63 out · $0.0008 by the price list; prices of 2026-05-01" in page
    with asking(file, prices=PriceList(day, {"other": Price(1, 1)})) as client:
        page = client.get("/executions/agent-1/agent").text
        assert "392 tokens in, 32 out · no price" in page
        assert "$0.0004, without 1 call that has no price; prices of 2026-05-01" in page
    with asking(file) as client:
        page = client.get("/executions/agent-1/agent").text
        assert "$0.0004, without 1 call that has no price</span>" in page, "a sum says what it is not of"


def test_messages_are_listed_with_what_they_said_and_lead_to_their_events(client: Client) -> None:
    page = client.get("/executions/order-2").text
    ((link, listed),) = re.findall(
        r'<section aria-labelledby="messages">.*?<a href="([^"]+)">(.*?)</section>', page, re.DOTALL
    )
    assert listed.startswith("SignalReceived paid</a>")
    assert '<span class="mono">250</span>' in listed
    assert "SignalReceived" in client.get(link).text
    assert 'id="messages"' not in client.get("/executions/nap-1").text


def test_an_event_has_its_call_its_neighbours_and_the_commands_that_go_on_from_it(client: Client) -> None:
    page = client.get("/executions/agent-1").text
    looked_up = next(
        link
        for link in dict.fromkeys(re.findall(r'href="(/executions/agent-1/events/\d+)"', page))
        if 'ActivityCompleted <span class="mono">look_up_order' in client.get(link).text
    )
    event = client.get(looked_up).text
    position = looked_up.rpartition("/")[2]
    assert "A-1017" in event.partition("What it was asked with")[2].partition("What came of it")[0]
    assert "kettle" in event.partition("What came of it")[2]
    assert f"--code . --break-at {position}</code>" in event
    edited = "&#39;{&#34;cents&#34;:4900,&#34;item&#34;:&#34;kettle&#34;"
    assert f"--at {position} --code . -o mended.sqlite --edit {edited}" in event
    (asked,) = re.findall(r'<dt>asked for by</dt><dd><a href="([^"]+)">event \d+</a> ActivityScheduled', event)
    assert f'<dt>ended with</dt><dd><a href="{looked_up}">' in client.get(asked).text
    for there, back in (("earlier", "later"), ("later", "earlier")):
        (link,) = re.findall(f'id="{there}" href="([^"]+)"', event)
        assert f'id="{back}" href="{looked_up}"' in client.get(link).text


def test_failed_attempts_and_children_are_linked_with_the_events_of_their_call(client: Client) -> None:
    def events(execution: str) -> dict[str, str]:
        page = client.get(f"/executions/{execution}").text
        found = re.findall(r'<a class="position" href="([^"]+)">\d+</a> <b>(\w+)</b>', page, re.DOTALL)
        return {kind: client.get(link).text for link, kind in found}

    failed = events("order-3")
    (attempt,) = re.findall(
        r'<dt>failed attempts</dt><dd><a href="([^"]+)">event \d+</a></dd>', failed["ActivityFailed"]
    )
    assert '<h1 class="kind-bad">AttemptFailed <span class="mono">charge' in client.get(attempt).text
    assert "--edit JSON" in failed["ActivityFailed"], "a failure is no answer to begin from"
    assert "dormouse fork" not in failed["ExecutionFailed"], "nothing goes on from the end"
    assert re.search(r'<dt>child</dt><dd><a href="/executions/parcels-1\.', events("parcels-1")["ChildCompleted"])


def test_what_is_hostile_is_shown_and_does_nothing(client: Client) -> None:
    for path in ("/executions/evil-1", "/executions/order-3", "/"):
        page = client.get(path).text
        for acts in ("<script>alert", "<img src=x", "\x1b", "\u202e", "\u200b", "49gnp"):
            assert acts not in page, (path, acts)
    page = client.get("/executions/evil-1").text
    assert "␛[31m⟨U+202E⟩gnp.exe⟨U+200B⟩{{ 7 * 7 }}" in page
    assert "more than 24 levels deep" in page
    assert re.search(r"… [\d,]+ more characters", page)
    assert "of which not everything is shown" in page


def test_a_payload_is_a_fragment_a_page_and_a_file_to_be_saved(client: Client) -> None:
    page = client.get("/executions/evil-1").text
    path = re.findall(r'hx-get="(/executions/evil-1/events/\d+)"', page)[0]
    fragment = client.get(path, headers={"HX-Request": "true"}).text
    assert "<html" not in fragment
    assert "gnp.exe" in fragment
    assert "<html" in client.get(path).text
    raw = client.get(f"{path}/raw")
    assert HOSTILE in raw.json()["long"]
    assert raw.headers["content-disposition"].startswith("attachment")
    assert raw.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/executions/nobody/agent", 404, "there is no execution"),
        ("/executions/order-1/agent?calls=x", 400, "`calls` is a number"),
        ("/executions/nobody", 404, "there is no execution &#39;nobody&#39;"),
        ("/executions/order-1/events/999999", 404, "has no event at the position 999999"),
        ("/changes?since=1", 400, "there is no field `since`"),
        ("/executions/order-1/events/999999/raw", 404, "has no event"),
        ("/nowhere", 404, "there is no such page"),
        ("/?state=Lost", 400, "`state` is one of Open, Blocked"),
        ("/?since=yesterday", 400, "`since` is a day such as"),
        ("/?after=-1", 400, "`after` is a number"),
        ("/?after=99999999999999999999", 400, "`after` is a number"),
        ("/executions/order-1?events=x", 400, "`events` is a number"),
        ("/theme?to=pink", 400, "`to` is one of light, dark"),
        ("/?stat=Failed", 400, "there is no field `stat` in this URL&#39;s query; those are state, workflow, q"),
        ("/executions/order-1?event=50", 400, "there is no field `event`"),
        ("/executions/order-1/agent?count=9", 400, "there is no field `count`"),
        ("/executions/order-1/events/1?raw=1", 400, "there is no field `raw` in this URL&#39;s query; this page takes"),
        ("/executions/order-1/events/99999999999999999999", 404, "has no event"),
    ],
)
def test_what_is_wrong_is_told_on_a_page_that_leads_on(client: Client, path: str, status: int, told: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, told in answer.text) == (status, True), answer.text
    assert '<a class="button" href="/">' in answer.text


@pytest.mark.parametrize("path", ["/", "/executions/order-1", "/nowhere", "/static/style.css", "/theme?to=dark"])
def test_every_answer_forbids_what_is_not_ours(client: Client, path: str) -> None:
    headers = client.get(path, follow_redirects=False).headers
    assert headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


class Elements(HTMLParser):
    """All elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_no_page_has_anything_inline_or_from_elsewhere(client: Client) -> None:
    for path in ("/", "/executions/order-3", "/executions/evil-1", "/executions/parcels-1"):
        page = client.get(path).text
        elements = Elements(page).found
        assert {tag for tag, _ in elements} & {"style", "iframe", "object", "embed", "base"} == set(), path
        for tag, attributes in elements:
            assert not [name for name in attributes if name == "style" or name.startswith(("on", "hx-on"))], (path, tag)
            for name in ("src", "href", "action", "hx-get"):
                assert (attributes.get(name) or "/").startswith(("/", "#", "?")), (path, tag, attributes)
        assert re.findall(r"<script[^>]*>([^<]*)</script>", page) == ["", ""]


def test_another_name_of_the_server_is_refused(file: Path) -> None:
    with asking(file) as client:
        for host, status in (
            ("127.0.0.1:99", 200),
            ("localhost", 200),
            ("evil.example", 400),
            ("127.0.0.1.evil.example", 400),
        ):
            assert client.get("/", headers={"host": host}).status_code == status, host


def test_nothing_can_be_sent(client: Client) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.send(method, "/executions/order-1").status_code == 405


def test_colours_are_remembered_and_lead_back_to_a_page_of_ours_alone(client: Client) -> None:
    for back, leads_to in (
        ("/executions/order-1?calls=2", "/executions/order-1?calls=2"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\r\nx: y", "/"),
    ):
        answer = client.get("/theme", params={"to": "dark", "back": back}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, leads_to)
    assert 'data-theme="dark"' in client.get("/").text


def test_several_files_begin_with_a_list_of_them(file: Path, tmp_path: Path) -> None:
    other = long_history(tmp_path / "other.sqlite", 10)
    describe(other)
    with asking(file, other) as client:
        page = client.get("/").text
        assert "shop/orders" in page
        assert 'href="/files/1"' in page
        assert "/files/1/executions/long-1" in client.get("/files/1").text
        assert "3, so 2 lives before this one" in client.get("/files/1/executions/long-1").text
        assert client.get("/files/2").status_code == 404


def test_of_several_files_one_that_is_gone_or_damaged_hides_nothing_of_the_others(file: Path, tmp_path: Path) -> None:
    gone, damaged = (long_history(tmp_path / f"{name}.sqlite", 10) for name in ("gone", "damaged"))
    with asking(gone, damaged, file) as client:
        gone.unlink()
        damaged.write_bytes(b"something else, that is not a database at all" * 20)
        answer = client.get("/")
        assert answer.status_code == 200
        rows = answer.text.split("<tr>")[2:]
        assert "there is no file" in rows[0]
        assert "is no SQLite file" in rows[1]
        assert "Completed" in rows[2]


def test_the_list_of_files_hears_of_a_change_of_any(file: Path, tmp_path: Path) -> None:
    live = long_history(tmp_path / "live.sqlite", 10)
    with asking(file, live) as client:
        before = re.findall(r'data-changes="/changes" data-seen="(\w+)"', client.get("/").text)
        go_on(live)
        after = re.findall(r'data-changes="/changes" data-seen="(\w+)"', client.get("/").text)
    assert (len(before), len(after), before == after) == (1, 1, False)
    with asking(file) as client:
        assert 'data-changes="/changes"' in client.get("/").text


def test_of_an_encrypted_file_is_shown_what_needs_no_key_and_said_which_is_missing(tmp_path: Path) -> None:
    codec = AesGcm({"may-2026": bytes(32)})
    file = make(tmp_path / "sealed.sqlite", codec)
    with asking(file) as client:
        assert "why is encrypted" in client.get("/?state=Failed").text
        page = client.get("/executions/evil-1").text
        assert "encoded, by" in page
        assert "may-2026" in page
        assert "DORMOUSE_ENCRYPTION_KEYS" in page
        assert "gnp.exe" not in page
        path = re.findall(r'hx-get="([^"]+/events/\d+)"', page)[0]
        assert client.get(f"{path}/raw").status_code == 403
    with asking(file, codec=codec) as client:
        assert "gnp.exe" in client.get("/executions/evil-1").text


def test_a_page_of_a_very_long_history_is_as_small_as_another(tmp_path: Path) -> None:
    with asking(long_history(tmp_path / "long.sqlite", 20_001)) as client:
        page = client.get("/executions/long-1?count=80").text
        assert "20,001" in page
        assert (
            sum(drawing.count("<") - drawing.count("</") for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL))
            < 500
        )
        assert len(page) < 250_000
        last = client.get("/executions/long-1?events=99999999&calls=99999999").text
        assert "20,001 of 20,001" in last
        assert "calls 10,000 to 10,000 of 10,000" in last


def test_a_file_that_goes_on_is_shown_as_it_is_now(tmp_path: Path) -> None:
    file = long_history(tmp_path / "live.sqlite", 10)
    with asking(file) as client:
        assert "ExecutionCompleted" not in client.get("/executions/long-1").text
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute(
                "INSERT INTO event (position, execution, kind, at, previous, payload) "
                "VALUES (11, 1, 'ExecutionCompleted', 1750000000000011, 10, x'31')"
            )
            connection.execute(
                "UPDATE execution SET status = 'Completed', closed_at = 1750000000000011, closed_position = 11"
            )
        assert "ExecutionCompleted" in client.get("/executions/long-1").text


def test_a_damaged_file_is_told_on_a_page(tmp_path: Path) -> None:
    file = long_history(tmp_path / "damaged.sqlite", 10)
    with asking(file) as client:
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE event SET at = 'never' WHERE position = 5")
        answer = client.get("/executions/long-1")
        assert (answer.status_code, "is it damaged" in answer.text) == (500, True)


def test_looking_changes_nothing(file: Path) -> None:
    before = {path.name: path.read_bytes() for path in file.parent.iterdir()}
    with asking(file) as client:
        client.get("/")
        client.get("/executions/order-3")
    assert {path.name: path.read_bytes() for path in file.parent.iterdir()} == before
