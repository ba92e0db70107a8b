"""The wall of live streams and the page of one: by risk, renewed by themselves, acted on with reasons, in a real browser."""

import html
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect

from console_cases import HOSTILE, Console, console, faults, tab
from live_servers import publisher, rtmp_server
from server_cases import post
from stream_cases import CHILD, PRESSING, Asked, asked, say
from test_live_ended import platform
from underwing.engine import Engine
from underwing.packs import Packs
from underwing.policy import load_policy
from underwing.server.console.streams import path

NOWHERE = "rtmp://127.0.0.1:1/live/"
EVIL = f"{HOSTILE[:40]}\u202e\u200b/?#&%"
Told = list[tuple[dict[str, str], bytes]]


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[str, Told]]:
    """A platform that is told of actions: its address, and what it was told."""
    with platform() as made:
        yield made


@pytest.fixture(scope="module")
def service(all_packs: Packs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    engine, home = Engine(all_packs, load_policy()), tmp_path_factory.mktemp("wall")
    with console(engine, home, stream_hosts="127.0.0.1", stream_watchers=1) as service:
        with service.client("platform") as client:
            while client.get("/readyz").status_code != 200:
                time.sleep(0.05)
            post(client, CHILD, {**CHILD, "id": "kid2", "country": "GB"})
            post(client, {"type": "account", "id": "grown", "declared_age": 33, "minor": False})
        yield service


def begin(service: Console, id: str, streamer: str, **more: Any) -> Asked:
    """A stream that is watched."""
    with service.client("platform") as client:
        body = {"id": id, "url": NOWHERE + "x", "streamer": streamer, **more}
        answer = client.post("/v1/streams", json=body)
        assert answer.status_code == 201, answer.text
    return Asked(service, id)


def over(service: Console, *ids: str) -> None:
    with service.client("platform") as client:
        for id in ids:
            assert client.delete(f"/v1/streams/{quote(id, safe='')}").status_code == 200


def told_of(told: Told, action: str) -> list[dict[str, Any]]:
    """What the platform was told of an action."""
    return [body for _, raw in told if (body := json.loads(raw))["action"] == action]


def test_the_wall_renews_itself_when_a_stream_is_pressed(
    chromium: Chromium, service: Console, told: tuple[str, Told], tmp_path: Path
) -> None:
    with rtmp_server(tmp_path / "nginx") as server, publisher(server.url("one"), seconds=300):
        begin(service, "grown-up's", "grown")
        one = begin(service, "one", "kid", url=asked(server)["url"], control=[told[0]])
        one.until(lambda now: now["state"] == "watching")
        with tab(chromium, service, "reviewer") as page:
            page.keyboard.press("g")
            page.keyboard.press("t")
            page.wait_for_url("**/console/streams")
            rows = page.locator("#wall tbody tr")
            expect(rows).to_have_count(2)
            row = rows.filter(has=page.get_by_role("link", name="one", exact=True))
            expect(row).to_contain_text("child")
            expect(row).to_contain_text("12 years")
            expect(row).to_contain_text("seen")
            expect(row).to_contain_text("calm")
            page.locator("#stream-one").focus()
            say(service, PRESSING)
            expect(rows.first).to_contain_text("urgent", timeout=60_000)
            expect(rows.first.get_by_role("rowheader")).to_have_text("one")
            expect(rows.first).to_contain_text("v1 towards kid")
            expect(rows.first).to_contain_text("closely")
            expect(rows.first).to_contain_text("end the stream done", timeout=30_000)
            expect(page.locator("#stream-one")).to_be_focused()
            expect(page.locator("#wall-state")).to_contain_text("1 urgent")
            assert not faults(page)
            for text in PRESSING:
                assert text not in page.content()
            page.keyboard.press("Enter")
            page.wait_for_url("**/console/streams/one")
            expect(page.get_by_role("heading", name="Stream one")).to_be_visible()
            expect(page.locator("#stream")).to_contain_text("threat")
            expect(page.locator("#stream")).to_contain_text("the watch began")
            expect(page.get_by_role("link", name="Sealed file")).to_have_count(
                0
            )  # the case is not in this hand
            assert not faults(page)
        with tab(chromium, service, "senior") as page:
            page.goto(f"{service.url}/console/streams/one")
            expect(page.get_by_role("link", name="Sealed file").first).to_be_visible(timeout=60_000)
            page.get_by_role("link", name="Sealed file").first.click()
            page.wait_for_url("**/console/cases/*/files/*")
    over(service, "one", "grown-up's")


def test_people_act_with_reasons_that_are_kept_and_take_it_back(
    chromium: Chromium, service: Console, told: tuple[str, Told]
) -> None:
    address, heard = told
    begin(service, "acted", "kid2", control=[address])
    before = len(service.records())
    with tab(chromium, service, "reviewer") as page:
        keys = page.keyboard
        page.goto(f"{service.url}/console/streams/acted")
        keys.press("w")
        keys.type("the viewers insist")
        keys.press("Enter")
        expect(page.get_by_text("It is looked at closely for ten minutes.")).to_be_visible()
        expect(page.locator("#stream")).to_contain_text("closely, for another 10 min")
        assert Asked(service, "acted").now()["raised_for"] > 500
        keys.press("a")
        page.get_by_label("What", exact=True).select_option(label="blur the stream")
        page.locator("#why-act").fill("until I have looked <b>")
        page.get_by_role("button", name="Have it done").click()
        expect(page.locator("#acts ~ ol")).to_contain_text("blur the stream done", timeout=30_000)
        expect(page.locator("#acts ~ ol")).to_contain_text("by Reviewer: until I have looked <b>")
        (blurred,) = [body for body in told_of(heard, "blur_stream") if body["target"] == "kid2"]
        assert (blurred["reasons"], blurred["event"][:7]) == ([], "person:")
        page.get_by_text("Take back: blur the stream").click()
        page.locator("#why-blur_stream").fill("nothing there")
        assert not faults(page)
        page.get_by_role("button", name="Take it back").click()
        expect(page.locator("#acts ~ ol")).to_contain_text("taken back: blur the stream done", timeout=30_000)
        expect(page.get_by_text("Take back: blur the stream")).to_have_count(0)
        assert {"action": "blur_stream", "undo": True} in told_of(heard, "blur_stream")
        expect(page.get_by_text("Stop watching")).to_have_count(0)  # that is a senior's
    assert service.records()[before:] == [
        ("id-reviewer", "stream_closer", ""), ("id-reviewer", "stream_act", ""), ("id-reviewer", "stream_back", ""),
    ]  # fmt: skip
    kept = [r.facts for r in service.home.custody.records() if r.facts.get("about") == "stream:acted"]
    assert [facts["why"] for facts in kept] == [
        "the viewers insist",
        "until I have looked <b>",
        "nothing there",
    ]
    acts = Asked(service, "acted").now()["actions"]
    assert [(act["action"], act["person"]) for act in acts] == [
        ("blur_stream", True),
        ("undo_blur_stream", True),
    ]
    with service.browser("senior") as client:
        here = "/console/streams/acted"
        nothing = client.send_form(f"{here}/back", action="blur_stream", why="again")
        assert nothing.status_code == 400
        assert "or it was not done" in nothing.text
        assert client.send_form(f"{here}/act", action="slow_chat", why="").status_code == 400
        assert client.send_form(f"{here}/act", action="page", why="x").status_code == 400
        assert client.send_form(f"{here}/end", why="the platform looks itself").status_code == 303
        assert Asked(service, "acted").now()["why"] == "ended by a person"
        assert client.send_form(f"{here}/closer", why="x").status_code == 409
        page_after = client.get(here)
        assert "the platform looks itself" not in page_after.text
        assert "Do something" not in page_after.text
        assert client.get("/console/streams/nothing").status_code == 404
        wall = client.get("/console/streams").text
        assert "Ended in the last hour" in wall
        assert "ended by a person" in wall


def test_a_person_ends_a_stream_on_its_media_server(service: Console, tmp_path: Path) -> None:
    with rtmp_server(tmp_path / "nginx") as server, publisher(server.url("two"), seconds=300) as sending:
        body = asked(server, "two", streamer="kid2")
        one = begin(service, "two", "kid2", url=body["url"], control=body["control"])
        one.until(lambda now: now["state"] == "watching")
        with service.browser("reviewer") as client:
            page = client.get("/console/streams/two").text
            assert '<option value="end_stream">' in page
            assert '<option value="blur_stream">' not in page  # nginx cannot
            told = client.send_form(
                "/console/streams/two/act", action="end_stream", why="she is being pressed"
            )
            assert told.status_code == 303
            assert (
                client.send_form("/console/streams/two/act", action="blur_stream", why="x").status_code == 400
            )
        assert sending.wait(30) != 0
        one.until(lambda now: [act["outcome"] for act in now["actions"]] == ["done"])
    over(service, "two")


def its_case(client: Any, stream: str) -> str:
    """The number of the open case that a stream's page offers to read, once there is one."""
    until = time.monotonic() + 60
    while "?case=" not in (page := client.get(f"/console/streams/{stream}").text):
        assert time.monotonic() < until, page
        time.sleep(0.2)
    return str(page.partition("?case=")[2].partition('"')[0])


def test_a_person_has_the_last_seconds_of_a_stream_sealed_into_its_case(
    service: Console, tmp_path: Path
) -> None:
    here = "/console/streams/sealed"
    with rtmp_server(tmp_path / "nginx") as server, publisher(server.url("sealed"), seconds=300):
        one = begin(service, "sealed", "kid2", url=server.url("sealed"))
        one.until(lambda now: now["state"] == "watching" and now["looks"] >= 2)
        with service.browser("senior") as client:
            assert "There is no open case of this stream" in client.get(here).text
            say(service, PRESSING, "sealed", "v9")
            case = its_case(client, "sealed")
            until = time.monotonic() + 60
            while "/files/" not in (page := client.get(here).text):  # the policy has one sealed by itself
                assert time.monotonic() < until, page
                time.sleep(0.2)
            before = page.count("/files/")
            assert f'<option value="{case}">' in page
            told = client.send_form(f"{here}/seal", case=case, why="is somebody with her?")
            assert told.status_code == 303, told.text
            page = client.get(told.headers["location"]).text
            assert "Sealed. The file stands with the case below." in page
            assert page.count("/files/") == before + 1
            for given, status in (
                ({"why": "x"}, 400),
                ({"case": case, "why": ""}, 400),
                ({"case": "999", "why": "x"}, 404),
            ):
                assert client.send_form(f"{here}/seal", **given).status_code == status
        with service.browser("reviewer") as client:
            assert client.send_form(f"{here}/seal", case=case, why="x").status_code == 403
    kept = [r.facts for r in service.home.custody.records() if r.facts.get("about") == "stream:sealed"]
    assert [(facts["why"], facts["case"]) for facts in kept] == [("is somebody with her?", case)]
    assert service.records()[-1] == ("id-senior", "stream_seal", "")
    over(service, "sealed")


def test_where_nothing_can_be_seen_nothing_is_sealed_and_that_is_said(service: Console) -> None:
    begin(service, "blind", "kid2")
    say(service, PRESSING, "blind", "v8")
    with service.browser("senior") as client:
        case = its_case(client, "blind")
        answer = client.send_form("/console/streams/blind/seal", case=case, why="x")
        assert (answer.status_code, "Nothing was sealed" in answer.text) == (422, True)
    over(service, "blind")


def test_texts_are_shown_as_far_as_an_open_case_of_one_s_own_keeps_them(service: Console) -> None:
    begin(service, "case", "kid")
    say(service, PRESSING, "case", "v3")
    now = datetime.now(UTC).isoformat()
    match = {
        "bank": "known",
        "entry": "film 7",
        "label": "test",
        "signal": "pdq",
        "distance": 12,
        "how": "mirrored",
    }
    with service.client("platform") as client:
        post(
            client,
            {
                "type": "stream_frame", "id": "f1", "at": now, "conversation": "case", "from": "kid", "second": 12.5,
                "matches": [match],
            },
        )  # fmt: skip
    with service.browser("senior") as client:
        number = its_case(client, "case")
        page = client.get("/console/streams/case").text
        assert "Bank known, entry film 7 (test), distance 12, as mirrored" in page
        assert "at second 12.5" in page
        assert "v3" in page
        assert PRESSING[1] not in html.unescape(page)
        seen = len(service.records(seen=True))
        texts = html.unescape(client.get(f"/console/streams/case?case={number}").text)
        assert PRESSING[1].partition(" if ")[0] in texts.replace("<mark>", "").replace("</mark>", "")
        assert "data-live" not in texts
        assert service.records(seen=True)[seen:] == [("id-senior", "saw", number)]
        assert client.get("/console/streams/case?case=999").status_code == 404
        assert client.get("/console/streams/case?case=x").status_code == 400
    with service.browser("reviewer") as client:
        page = client.get("/console/streams/case").text
        assert f"Case {number}" in page
        assert "?case=" not in page
        assert "/files/" not in page
        assert client.get(f"/console/streams/case?case={number}").status_code == 403
    over(service, "case")


@pytest.mark.parametrize("view", ["dark", "phone"])
def test_hostile_names_are_inert_and_both_pages_are_german(
    chromium: Chromium, service: Console, view: str
) -> None:
    id = EVIL[:60] + view[0]
    begin(service, id, EVIL[:60], kind="many")
    say(service, PRESSING, id, f"</td>{view}")
    with tab(chromium, service, None, view) as page:
        page.set_extra_http_headers({"accept-language": "de"})
        cookie = {"name": "underwing_console", "value": service.token("reviewer"), "url": service.url}
        page.context.add_cookies([cookie])  # type: ignore[list-item]
        page.goto(f"{service.url}/console/streams")
        expect(page.get_by_role("heading", name="Laufende Streams")).to_be_visible()
        assert not faults(page)
        page.locator("#wall a").first.click()
        page.wait_for_url("**" + path(id).replace("*", "?"))
        expect(page.get_by_text("Schalter für Streams von Kindern")).to_be_visible()
        expect(page.locator("#stream")).to_contain_text("viele für viele")
        page.get_by_text("Zehn Minuten lang genauer ansehen").first.click()
        assert not faults(page)
        assert page.locator("main script, main img, main iframe").count() == 0
        assert "⟨U+202E⟩" in page.locator("h1").inner_text()
        assert not set(page.evaluate("document.documentElement.innerText")) & set("\u202e\u200b")
        assert (
            page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        )
        page.locator("#why-closer").fill("<script>")
        page.locator("#why-closer").press("Enter")
        expect(page.get_by_text("Er wird zehn Minuten lang genau angesehen.")).to_be_visible()
    over(service, id)
