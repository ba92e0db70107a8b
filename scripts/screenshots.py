"""`make screenshots`: the console as it looks, from the shipped demo, into docs/pictures.

Starts the service on loopback with a casebook of its own, replays the conversations that ship for the demo, and takes
pictures in a real browser (the machine's Chromium, or Playwright's). All people in them are made up.
"""

import shutil
import tempfile
import threading
import time
from pathlib import Path

import httpx2
from playwright.sync_api import sync_playwright

from underwing.cli.service import demo_conversations
from underwing.evaluation import to_events
from underwing.model import encode
from underwing.server import Service, Settings
from underwing.server.logs import set_up

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
SHOTS = (
    ("queue", "/console/queue", "light"),
    ("case", "/console/cases/1", "light"),
    ("case-dark", "/console/cases/1", "dark"),
    ("insights", "/console/insights", "light"),
)
"""(name, path, colours)."""


def replay(service: Service, address: str) -> None:
    """Send the demo's conversations as a platform would."""
    key = service.keys.create("platform", "screenshots")
    with httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        while client.get("/readyz").status_code != 200:
            time.sleep(0.2)
        for conversation in demo_conversations():
            body = b"\n".join(encode(event) for event in to_events(conversation))
            headers = {"Content-Type": "application/x-ndjson"}
            client.post("/v1/events", content=body + b"\n", headers=headers).raise_for_status()


def take(service: Service, address: str) -> None:
    """Take every picture."""
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        given = {"executable_path": found} if (found := shutil.which("chromium")) else {}
        browser = playwright.chromium.launch(args=["--no-sandbox"], **given)
        for name, path, colours in SHOTS:
            page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=colours)
            page.goto(address + service.app.welcome())
            page.goto(address + path)
            page.screenshot(path=PICTURES / f"{name}.png")
            print(PICTURES / f"{name}.png")
        browser.close()


def main() -> None:
    """Start, replay, take, stop."""
    set_up("error")
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Settings(port=0, database=str(Path(folder) / "demo.db")))
        thread = threading.Thread(target=service.run, daemon=True)
        thread.start()
        service.started.wait(60)
        address = f"http://127.0.0.1:{service.port}"
        try:
            replay(service, address)
            take(service, address)
        finally:
            service.stop()
            thread.join(30)


if __name__ == "__main__":
    main()
