"""Templates into answers: escaping, words, times, the content security policy."""

from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from underwing.casebook.people import May
from underwing.server.console import statics, words
from underwing.server.console.plain import plain
from underwing.server.http import HTML, Response

if TYPE_CHECKING:
    from underwing.server.console.visit import Visit

HOME = Path(__file__).parent.parent / "templates"
POLICY = (
    b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PROTECT = ((b"content-security-policy", POLICY),)


@cache
def environment() -> Environment:
    """The templates of the server."""
    made = Environment(
        loader=FileSystemLoader(HOME),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["plain"] = plain
    made.globals.update(static=statics.address, when=when, lasted=lasted, languages=words.LANGUAGES)
    return made


def render(visit: "Visit", name: str, status: int = 200, **values: Any) -> Response:
    """An answer made of the template `console/<name>`.

    In the template: `t(key, **values)` is a text of the catalogue, `word(key, otherwise)` one that may be missing,
    `when(epoch)` a time, `left(epoch)` the time until then, `lasted(seconds)` a span, `csrf()` the hidden field of every
    form, `may(permission, whose)`, `static(name)`, `visit`, `member`, `menu`; the filter `plain` is for everything that a
    stranger wrote.
    """
    given = _for(visit) | values
    body = environment().get_template(f"console/{name}").render(given).encode("utf-8", "replace")
    return Response(body, status=status, type=HTML, headers=_PROTECT)


def _for(visit: "Visit") -> dict[str, Any]:
    language, now = visit.language, visit.site.desk.clock()

    def t(key: str, **values: object) -> str:
        return words.say(language, key, **values)

    def word(key: str, otherwise: str) -> str:
        return t(key) if words.known(key) else plain(otherwise, 80)

    def left(epoch: float) -> str:
        return time_left(language, epoch - now)

    def csrf() -> Markup:
        return Markup('<input type="hidden" name="csrf" value="{}">').format(visit.csrf)

    def allowed(what: str, whose: Any = None) -> bool:
        return visit.may(May(what), visit.whose if whose is None else whose)

    return {
        "t": t, "word": word, "left": left, "csrf": csrf, "may": allowed, "visit": visit, "lang": language,
        "member": visit.member,
        "menu": visit.site.menu(visit), "here": visit.request.path.decode("latin-1"), "now": now,
        "notice": visit.notice,
    }  # fmt: skip


@lru_cache(4_096)
def when(epoch: float, exact: bool = False) -> Markup:
    """A moment as `<time>`, to the minute, `exact` to the second, in UTC."""
    at = datetime.fromtimestamp(max(0, min(epoch, 253402300799)), UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%Y-%m-%d %H:%M:%S}" if exact else f"{at:%Y-%m-%d %H:%M}"
    )


def lasted(seconds: float) -> str:
    """A span of time to the minute, in the two largest units."""
    minutes = int(abs(seconds) // 60)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    return (
        " ".join([f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n][:2])
        or "0 min"
    )


def time_left(language: str, seconds: float) -> str:
    """How long something is still away, or over."""
    return words.say(language, "layout.left" if seconds >= 0 else "layout.over", time=lasted(seconds))
