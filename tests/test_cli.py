"""The command line, as a user runs it: in its own process."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import pytest

from underwing.engine import REVIEW_PHRASE, URGENT_PHRASE

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "corpus" / "tuning.jsonl"


def underwing(*arguments: str, cwd: Path | None = None, code: int = 0, stdin: str | None = None) -> str:
    """Standard output of one command; fails unless it ends with `code`."""
    done = subprocess.run(
        [sys.executable, "-c", "from underwing.cli import main; main()", *arguments],
        cwd=cwd, input=stdin, capture_output=True, text=True, timeout=120,
        env={**os.environ, "COLUMNS": "160", "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stdout + done.stderr


def event(number: int, text: str) -> str:
    return json.dumps({
        "type": "message", "id": f"e{number}", "at": "2026-01-01T00:00:00Z", "surface": "dm", "conversation": "c",
        "from": "a", "to": ["b"], "text": text,
    })  # fmt: skip


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "few.jsonl"
    path.write_text("\n".join(CORPUS.read_text(encoding="utf-8").splitlines()[:12]) + "\n", encoding="utf-8")
    return path


def test_help_names_every_command() -> None:
    shown = underwing("--help")
    for command in (
        "serve",
        "demo",
        "replay",
        "evaluate",
        "explain",
        "backtest",
        "packs",
        "keys",
        "policy",
        "hash",
        "match",
        "scan",
        "banks",
        "exchange",
        "vault",
        "custody",
        "cases",
        "guide",
    ):
        assert command in shown
        assert underwing(command, "--help")


def test_replay_of_the_test_phrases(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text(
        event(1, REVIEW_PHRASE) + "\n\n" + event(2, URGENT_PHRASE) + "\n" + event(3, "hello") + "\n"
    )
    decisions = [json.loads(line) for line in underwing("replay", str(path), "--json").splitlines()]
    assert [(d["level"], d["test"]) for d in decisions] == [
        ("review", True),
        ("urgent", True),
        ("none", False),
    ]
    assert "URGENT" in underwing("replay", str(path))


def test_replay_says_which_line_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text(event(1, "hello") + "\n{broken\n")
    assert "line 2" in underwing("replay", str(path), code=2)
    assert len(underwing("replay", str(path), "--json", "--skip-bad").splitlines()) == 1


def test_evaluate_prints_the_fixed_shape(few: Path, tmp_path: Path) -> None:
    result = json.loads(underwing("evaluate", str(few), "--json", "--html", str(tmp_path / "r.html")))
    assert {
        "conversations", "risk", "safe", "precision", "recall", "f1", "f05", "warned_before_harm",
        "median_delay_messages", "f_latency", "safe_alarm_rate", "by_kind", "by_lang", "messages_per_cpu_second",
    } <= set(result)  # fmt: skip
    assert result["conversations"] == 12
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "recall" in underwing("evaluate", str(few)).lower()


def test_backtest_shows_what_would_change(few: Path, tmp_path: Path) -> None:
    new = tmp_path / "quiet.toml"
    new.write_text(
        'version = "1"\n[[rule]]\nid = "all"\nwhy = "test"\nwhen = "level >= 2"\nactions = ["page"]\n'
    )
    result = json.loads(underwing("backtest", "--policy", str(new), "--events", str(few), "--json"))
    assert result["changes"]
    assert result["added"].get("page")
    assert "would change" in underwing("backtest", "--policy", str(new), "--events", str(few))


def test_packs_and_policy_commands(tmp_path: Path) -> None:
    assert json.loads(underwing("packs", "test", "--json"))["ok"]
    assert json.loads(underwing("packs", "lint", "--json"))["ok"]
    assert len(json.loads(underwing("packs", "list", "--json"))["entries"]) > 100
    assert "valid" in underwing("policy", "check")
    bad = tmp_path / "bad.toml"
    bad.write_text('version = "1"\n[[rule]]\nid = "x"\nwhy = "y"\nwhen = "nonsense >"\nactions = ["page"]\n')
    assert "bad.toml" in underwing("policy", "check", str(bad), code=2)


def test_keys_are_made_listed_and_taken_back(tmp_path: Path) -> None:
    made = json.loads(
        underwing("keys", "create", "--role", "platform", "--name", "x", "--json", cwd=tmp_path)
    )
    assert made["key"]
    (key,) = json.loads(underwing("keys", "list", "--json", cwd=tmp_path))
    assert made["key"] not in json.dumps(key)
    underwing("keys", "revoke", key["id"], cwd=tmp_path)
    assert json.loads(underwing("keys", "list", "--json", cwd=tmp_path))[0]["revoked"]
    assert "unknown role" in underwing("keys", "create", "--role", "king", cwd=tmp_path, code=2)


def test_explain_without_a_database_says_so(tmp_path: Path) -> None:
    assert "no such file" in underwing("explain", "e1", cwd=tmp_path, code=2)


def test_demo_runs_once_and_ends() -> None:
    shown = underwing("demo", "--once", "--json", "--pace", "0", "--port", "0")
    decisions = [json.loads(line) for line in shown.splitlines()]
    assert {d["level"] for d in decisions} >= {"none", "review"}
    assert all(d["actions"] for d in decisions if d["level"] in ("review", "urgent"))


def test_demo_stops_cleanly_on_ctrl_c() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "from underwing.cli import main; main()", "demo", "--port", "0", "--pace", "50"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    for line in process.stdout:
        if "http://127.0.0.1" in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "stopped cleanly" in out
    assert "Traceback" not in err


def test_demo_stops_cleanly_while_it_starts_and_on_a_ctrl_c_that_comes_twice(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "from underwing.cli import main; main()", "demo", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert process.stdout
    assert "Starting" in process.stdout.readline()
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "stopped cleanly" in out
    assert not list(tmp_path.glob("underwing-demo-*"))


def test_demo_stops_cleanly_however_often_ctrl_c_is_passed_on(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", "from underwing.cli import main; main()", "demo", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert process.stdout
    assert any("http://127.0.0.1" in line for line in process.stdout)
    told = threading.Event()

    def press() -> None:
        while not told.is_set() and process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.005)

    pressing = threading.Thread(target=press, daemon=True)
    pressing.start()
    told_of_it = any("stopped cleanly" in line for line in process.stdout)
    told.set()
    pressing.join()
    _, err = process.communicate(timeout=60)
    assert told_of_it, err
    assert "Traceback" not in err
    assert not list(tmp_path.glob("underwing-demo-*"))


def test_demo_ends_on_a_console_with_living_cases_and_leaves_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "from underwing.cli import main; main()", "demo", "--port", "0", "--pace", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert process.stdout
    links: dict[str, str] = {}
    for line in process.stdout:
        found = re.fullmatch(r" +(\w+), (\w+) +(http://127\.0\.0\.1:\d+/console/enter\?key=\S+)\n", line)
        links |= {found[1]: found[3]} if found else {}
        if "two people" in line:
            break
    assert len(links) == 6, process.communicate(timeout=60)

    base = links["Merle"].partition("/console")[0]
    with (
        httpx2.Client(base_url=base, timeout=60, follow_redirects=True) as browser,
        httpx2.Client(base_url=base, timeout=60, follow_redirects=True) as robin,
    ):
        assert browser.get(links["Merle"]).status_code == robin.get(links["Robin"]).status_code == 200
        queue = browser.get("/console/queue").text
        for priority in ("imminent", "extortion", "image", "early", "known"):
            assert f'class="badge {priority}"' in queue
        assert "appeals/" in browser.get("/console/appeals").text
        numbers = re.findall(r'href="/console/cases/(\d+)"', queue)
        pages = [browser.get(f"/console/cases/{number}").text for number in numbers]
        assert sum("/files/" in page for page in pages) == 2
        assert any("Robin" in browser.get(f"/console/cases/{number}").text for number in range(1, 12))
        assert "<svg" in browser.get("/console/insights").text
        form = dict(re.findall(r'name="(csrf)" value="(\w+)"', robin.get("/console/queue").text))
        page = robin.post("/console/queue/next", data=form)
        number = str(page.url).rpartition("/")[2].partition("?")[0]
        for field in ("version", "acted"):
            form |= dict(re.findall(rf'name="({field})" value="(\d+)"', page.text)[:1])
        robin.post(f"/console/cases/{number}/close", data={**form, "outcome": "no_harm", "reason": "a game"})
        form = dict(re.findall(r'name="(csrf)" value="(\w+)"', browser.get("/console/requests").text))
        asked = re.search(r"/console/requests/(\d+)/confirm", browser.get("/console/requests").text)
        assert asked, "what takes two waits for the second"
        assert browser.post(asked[0], data=form).status_code == 200
        assert f'id="case-{number}"' in browser.get("/console/queue?show=closed").text
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "stopped cleanly" in out
    assert "Traceback" not in err
    assert not list(tmp_path.glob("underwing-demo-*"))
