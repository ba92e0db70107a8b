"""Identity providers for tests: a certified one (oidc-provider on Node.js), and a strict one that can be made wrong."""

import base64
import hashlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

HERE = Path(__file__).parent / "oidc_provider"
CACHE = Path(__file__).parents[1] / ".tools" / "oidc-provider"
REDIRECT = "http://127.0.0.1:8610/console/sign-in/provider/back"


def installed() -> Path:
    """The directory in which the provider can be run; made by npm where it is missing. Skips where there is no npm (with
    CI=true a skip is a failure, see tests/run.py)."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("the certified OpenID provider needs Node.js with npm (Debian: apt install nodejs npm)")
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "package.json").read_text("utf-8")
    if (
        not (CACHE / "node_modules" / "oidc-provider").is_dir()
        or (CACHE / "package.json").read_text("utf-8") != wanted
    ):
        (CACHE / "package.json").write_text(wanted, "utf-8")
        made = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--silent"],
            cwd=CACHE, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        if made.returncode:
            pytest.skip(f"npm could not install the OpenID provider: {made.stderr.strip()[:200]}")
    shutil.copy(HERE / "serve.mjs", CACHE / "serve.mjs")
    return CACHE


@contextmanager
def certified(redirects: tuple[str, ...] = (REDIRECT,)) -> Iterator[str]:
    """The issuer of a running oidc-provider."""
    home, port = installed(), _free_port()
    process = subprocess.Popen(
        ["node", "serve.mjs", str(port), ",".join(redirects)], cwd=home, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "listening"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Strict:
    """A provider on loopback that checks every request to the letter. `change` alters an ID token's claims, `sign` how it is
    signed, `answers` replaces what a path answers: (status, body, headers)."""

    def __init__(self) -> None:
        self.key = _usual_key()
        self.shown_keys: list[dict[str, Any]] = [self.key.as_dict(private=False)]
        self.change: Callable[[dict[str, Any]], None] = lambda claims: None
        self.sign: Callable[[dict[str, Any]], str] = lambda c: jwt.encode(
            {"alg": "RS256", "kid": self.key.kid}, c, self.key
        )
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.fetched: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> "Strict":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def authorise(self, url: str) -> dict[str, str]:
        """What a browser that was sent to `url` brings back, when somebody signs in there at once."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(self.issuer + "/auth?")
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == REDIRECT
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"state": asked["state"], "code": code}

    def description(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys",
        }  # fmt: skip

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or form.get("grant_type") != "authorization_code":
            return 400, {"error": "invalid_grant"}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(
            b"="
        )
        if challenge.decode() != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": "7", "aud": asked["client_id"], "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], "preferred_username": "ida", "name": "Ida", "amr": ["mfa"], "groups": ["staff"],
        }  # fmt: skip
        self.change(claims)
        return 200, {"id_token": self.sign(claims), "access_token": "x", "token_type": "Bearer"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                outer.fetched.append(path)
                if path in outer.answers:
                    self._reply(*outer.answers[path])
                elif path == "/.well-known/openid-configuration":
                    self._reply(200, json.dumps(outer.description()).encode())
                elif path == "/keys":
                    self._reply(200, json.dumps({"keys": outer.shown_keys}).encode())
                else:
                    self._reply(404, b"{}")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                outer.fetched.append(self.path)
                if self.path in outer.answers:
                    self._reply(*outer.answers[self.path])
                elif self.path == "/token":
                    status, made = outer.token({k: v[0] for k, v in parse_qs(body).items()})
                    self._reply(status, json.dumps(made).encode())
                else:
                    self._reply(404, b"{}")

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@cache
def _usual_key() -> RSAKey:
    return RSAKey.generate_key(2048, auto_kid=True)


def keys_of(*keys: RSAKey) -> list[dict[str, Any]]:
    """Their public halves, as a provider shows them."""
    return [key.as_dict(private=False) for key in KeySet(list(keys)).keys]


def query_of(location: str) -> dict[str, str]:
    """The parameters of a redirect."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def hinted(url: str, account: str) -> str:
    """The address to sign in at, saying who will."""
    return f"{url}&{urlencode({'login_hint': account})}"
