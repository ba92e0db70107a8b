"""Switches of children's streams: who may watch and write, and what is off, by age and region, as data.

A platform asks before a stream begins and obeys; what it says it has set, and gifts that come all the same, are held against
the answer.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from underwing.policy.errors import PolicyError
from underwing.policy.facts import AGE_OF_MAJORITY
from underwing.policy.literals import country_mistake

Audience = Literal["anyone", "followers", "nobody"]
"""Whom a switch lets in, from the widest to the strictest; `followers` are accounts that the child itself let follow."""
StreamKind = Literal["one", "many"]
Name = Literal["audience", "comments", "gifts", "reactions", "recording"]
NAMES: tuple[Name, ...] = get_args(Name)
_ORDER: tuple[object, ...] = (True, *get_args(Audience), False)
_OLDEST = 120
_Age = Annotated[int, Meta(ge=0, le=_OLDEST)]


class SwitchRule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One rule: for which accounts and streams, what it asks of each switch it names, and where that comes from."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    source: Annotated[str, Meta(min_length=1, max_length=500)]
    checked: date
    confirmed: bool = False
    note: Annotated[str, Meta(max_length=1_000)] = ""
    countries: tuple[str, ...] = ()
    """ISO 3166 codes; none means all, and an account whose country is not known."""
    ages: tuple[_Age, _Age] = (0, 17)
    unknown: bool = False
    kinds: tuple[StreamKind, ...] = get_args(StreamKind)
    audience: Audience | UnsetType = UNSET
    comments: Audience | UnsetType = UNSET
    gifts: bool | UnsetType = UNSET
    reactions: bool | UnsetType = UNSET
    recording: bool | UnsetType = UNSET

    def fits(self, age: int | None, minor: bool | None, country: str, kind: StreamKind) -> bool:
        """Whether the rule is for an account of this age (years) and country and a stream of this kind. Where `minor`
        contradicts the age, it counts and the age does not."""
        if kind not in self.kinds or (self.countries and country not in self.countries):
            return False
        if age is None or (minor is not None and minor != (age < AGE_OF_MAJORITY)):
            if minor is None:
                return self.unknown
            least, most = (0, AGE_OF_MAJORITY - 1) if minor else (AGE_OF_MAJORITY, _OLDEST)
        else:
            least = most = min(age, _OLDEST)
        return self.ages[0] <= most and least <= self.ages[1]


class Because(Struct, frozen=True, kw_only=True):
    """The rule that set a switch, and what it rests on."""

    rule: str
    source: str
    confirmed: bool
    note: str = ""


class Switches(Struct, frozen=True, kw_only=True):
    """What a stream is to have set. `audience` `nobody`: the account is not to stream. `because` names, for each switch that
    differs from what grown-ups have, the rule that set it."""

    audience: Audience = "anyone"
    comments: Audience = "anyone"
    gifts: bool = True
    reactions: bool = True
    recording: bool = True
    because: dict[Name, Because] = {}
    version: str = ""


class Broken(Struct, frozen=True, kw_only=True):
    """A switch that is set wider than asked."""

    switch: Name
    asked: str | bool
    is_set: str | bool
    because: Because


class SwitchBook:
    """All rules. Pure: the same facts give the same switches."""

    def __init__(self, rules: Iterable[SwitchRule]) -> None:
        self.rules = tuple(rules)
        self.version = hashlib.sha256(msgspec.json.encode(self.rules)).hexdigest()[:16]

    def of(
        self, *, age: int | None, minor: bool | None, country: str = "", kind: StreamKind = "one"
    ) -> Switches:
        """What a stream of an account is to have set; `age` in years and `minor` None where not known, `country` ""."""
        values: dict[Name, str | bool] = {}
        because: dict[Name, Because] = {}
        for rule in self.rules:
            if not rule.fits(age, minor, country, kind):
                continue
            for name in NAMES:
                asked = getattr(rule, name)
                if asked is not UNSET and _stricter(asked, values.get(name, _free(name))):
                    values[name] = asked
                    because[name] = Because(
                        rule=rule.id, source=rule.source, confirmed=rule.confirmed, note=rule.note
                    )
        return Switches(**values, because=because, version=self.version)  # type: ignore[arg-type]


def broken(asked: Switches, settings: Mapping[Name, str | bool]) -> list[Broken]:
    """The switches that `settings` (what a platform says a stream has) leave wider than asked; what it does not say is
    not judged."""
    return [
        Broken(switch=name, asked=getattr(asked, name), is_set=settings[name], because=asked.because[name])
        for name in NAMES
        if name in settings and _stricter(getattr(asked, name), settings[name])
    ]


def _free(name: Name) -> str | bool:
    return "anyone" if name in ("audience", "comments") else True


def _stricter(one: object, other: object) -> bool:
    return _ORDER.index(one) > _ORDER.index(other)


class _File(Struct, forbid_unknown_fields=True):
    format: Literal[1]
    rule: list[SwitchRule] = []


def load_switches(path: Path | None = None) -> SwitchBook:
    """The rules of a TOML file (None: the shipped one).

    Raises:
        PolicyError: unreadable, not in the format, an unknown country, ages the wrong way round or an id used twice.
    """
    path = path or Path(__file__).parent / "switches.toml"
    try:
        rules = msgspec.convert(tomllib.loads(path.read_text("utf-8")), _File).rule
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PolicyError(f"{path}: is not valid TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise PolicyError(f"{path}: {error}; a file of switches has format = 1 and [[rule]]") from None
    seen: set[str] = set()
    for rule in rules:
        mistake = next((m for m in map(country_mistake, rule.countries) if m), "")
        if rule.id in seen:
            mistake = "another rule has the same id: rename one"
        if rule.ages[0] > rule.ages[1]:
            mistake = "ages: write the lower age first"
        if mistake:
            raise PolicyError(f"{path}: rule {rule.id!r}: {mistake}")
        seen.add(rule.id)
    return SwitchBook(rules)
