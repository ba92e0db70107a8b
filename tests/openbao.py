"""A real OpenBao on loopback, in memory, with a transit key and a token that may use it and nothing else."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from vault_cases import free_ports

BAO = Path(sys.executable).parent / "bao"
ROOT = "only-for-tests"
POLICY = """
path "transit/encrypt/underwing" { capabilities = ["update"] }
path "transit/decrypt/underwing" { capabilities = ["update"] }
"""


class OpenBao:
    """A running server: `where` is the address of its key, `token` what opens that."""

    def __init__(self, url: str) -> None:
        self._client = httpx2.Client(base_url=f"{url}/v1", headers={"X-Vault-Token": ROOT}, timeout=30)
        self.where, self.token = f"{url}/v1/transit/underwing", ""

    def ask(self, path: str, **fields: Any) -> dict[str, Any]:
        """What its owner asks of it."""
        answer = self._client.post(path, json=fields)
        answer.raise_for_status()
        made: dict[str, Any] = answer.json() if answer.content else {}
        return made

    def prepare(self) -> None:
        """Mount, key, policy and token, as `docs/stores.md` says."""
        self.ask("/sys/mounts/transit", type="transit")
        self.ask("/transit/keys/underwing")
        self.ask("/sys/policies/acl/underwing", policy=POLICY)
        self.token = self.ask("/auth/token/create", policies=["underwing"])["auth"]["client_token"]


@contextmanager
def openbao(directory: Path) -> Iterator[OpenBao]:
    """A server of its own; what it holds is gone with it."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [BAO, "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT}",
               f"-dev-listen-address=127.0.0.1:{port}"]  # fmt: skip
    with (directory / "bao.log").open("wb") as log:
        made = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
    try:
        end = time.monotonic() + 60
        while not _answers(f"{url}/v1/sys/health"):
            assert made.poll() is None, (directory / "bao.log").read_text()
            assert time.monotonic() < end
            time.sleep(0.1)
        server = OpenBao(url)
        server.prepare()
        yield server
    finally:
        made.kill()
        made.wait(10)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False
