"""Administration of the service: no secret is shown, keys are made once and taken back, only by who may."""

import html
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console_cases import Console, console
from underwing.engine import Engine
from underwing.packs import Packs
from underwing.policy import load_policy
from underwing.server.console.settled import HIDDEN, masked, settings_of, storage_of
from underwing.server.settings import Settings

SECRETS = {
    "ticket": "t" * 40, "page_secret": "s" * 40, "page_mail": "smtp://ann:pass-word@mail.example:587",
    "page_webhook": "https://hooks.example/T000/B000/very-secret?token=deep", "page_from": "a@example.org",
    "page_to": "b@example.org",
}  # fmt: skip


@pytest.fixture(scope="module")
def service(small_packs: Packs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("service")
    with console(Engine(small_packs, load_policy()), folder, **SECRETS) as service:
        with service.client() as client:
            while client.get("/readyz").status_code != 200:
                time.sleep(0.02)
        yield service


def test_settings_are_told_without_their_secrets(service: Console) -> None:
    with service.browser("administrator") as client:
        page = html.unescape(client.get("/console/service").text)
    for setting in settings_of(Settings()):
        assert setting.variable in page
    for hidden in ("tttt", "ssss", "pass-word", "very-secret", "deep"):
        assert hidden not in page
    assert f"smtp://ann:{HIDDEN}@mail.example:587" in page
    assert "events are taken" in page
    assert service.runner.engine.versions.packs in page
    assert "Free on the disk" in page


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("casebook", "postgresql://u:p%40ss@db.example/name", f"postgresql://u:{HIDDEN}@db.example/name"),
        ("casebook", "postgresql://u@db/name?password=x", f"postgresql://u:{HIDDEN}@db/name?{HIDDEN}"),
        ("oidc_secret", "x", HIDDEN), ("oidc_secret", "", ""), ("https", True, "true"), ("port", 8610, "8610"),
        ("media_sources", "https://a.example/x/ https://b.example/", f"https://a.example/{HIDDEN} https://b.example/"),
        ("page_webhook", "https://[bad", HIDDEN), ("database", "/var/lib/u.db", "/var/lib/u.db"),
    ],
)  # fmt: skip
def test_what_is_masked(name: str, value: object, shown: str) -> None:
    assert masked(name, value) == shown


def test_no_secret_of_any_setting_is_shown() -> None:
    given = Settings(**SECRETS)
    text = " ".join(s.value for s in settings_of(given))
    for name in ("ticket", "page_secret"):
        assert SECRETS[name] not in text
    assert {s.name for s in settings_of(given) if s.own} == set(SECRETS)


def test_regions_are_told_with_clocks_and_sources(service: Console) -> None:
    with service.browser("administrator") as client:
        page = html.unescape(client.get("/console/service/regions").text)
    for name, region in service.book.regions.regions.items():
        assert f'<th scope="row">{name}</th>' in page
        assert region.source in page
    assert "10 min" in page
    assert "read in a third party's text only" in page


def test_a_key_is_shown_once_and_taken_back(service: Console) -> None:
    with service.browser("administrator") as client:
        made = client.send_form(
            "/console/service/keys", "/console/service/keys", role="platform", name="<b>game</b>"
        )
        token = re.search(r"uw_([0-9a-f]{12})_[\w-]{43}", made.text)
        assert token
        assert made.headers["cache-control"] == "no-store"
        page = client.get("/console/service/keys").text
        assert token[0] not in page
        assert "&lt;b&gt;game&lt;/b&gt;" in page
        assert service.keys.find(token[0]) is not None
        path = f"/console/service/keys/{token[1]}"
        assert client.send_form(path, "/console/service/keys").status_code == 303
        assert client.send_form(path, "/console/service/keys").status_code == 404
        for bad in (
            {"role": "king", "name": "x"},
            {"role": "platform", "name": ""},
            {"role": "", "name": "x"},
        ):
            assert (
                client.send_form("/console/service/keys", "/console/service/keys", **bad).status_code == 400
            )
    time.sleep(0.6)
    assert service.keys.find(token[0]) is None
    assert token[0] not in service.log
    told = [(r.facts["what"], r.facts["about"]) for r in service.app.desk.home.custody.records(kind="acted")]
    assert ("key made", f"key:{token[1]}") in told
    assert ("key revoked", f"key:{token[1]}") in told


def test_only_who_may(service: Console) -> None:
    for role, status in (
        ("reviewer", 403), ("senior", 403), ("author", 403), ("auditor", 403), ("administrator", 200),
    ):  # fmt: skip
        with service.browser(role) as client:  # type: ignore[arg-type]
            for path in ("/console/service", "/console/service/regions", "/console/service/keys"):
                assert client.get(path).status_code == status, (role, path)
            if status == 403:
                assert client.send_form("/console/service/keys", role="operator", name="x").status_code == 403


def test_storage_is_counted(tmp_path: Path) -> None:
    settings = Settings(database=str(tmp_path / "u.db"))
    (tmp_path / "u.db").write_bytes(b"x" * 1000)
    (tmp_path / "u.db-wal").write_bytes(b"x" * 24)
    settings.vault_directory.mkdir(parents=True)
    (settings.vault_directory / "deep").mkdir()
    (settings.vault_directory / "deep" / "file").write_bytes(b"x" * 77)
    stored, disk = storage_of(settings)
    assert {s.key: s.bytes for s in stored} == {"database": 1024, "vault": 77}
    assert disk is not None
    assert 0 < disk.free <= disk.total
