"""How long an object must be kept: rules by region as data, the longest wins."""

import tomllib
from collections.abc import Iterable
from datetime import date, datetime
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from underwing.casebook import times
from underwing.casebook.database import CasebookError

EVERYWHERE = "*"
ObjectKind = Literal["content", "reference"]
RuleKind = Literal["content", "reference", "appeal"]
"""What rules are about: the kinds of objects, and what lies in the casebook's tables."""


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule: objects of this region and kind are kept so many years and days from `starts`, and by what source."""

    id: Annotated[str, Meta(min_length=1)]
    region: Annotated[str, Meta(pattern=r"^([A-Z]{2}|\*)$")]
    kind: Literal["content", "reference", "appeal", "*"]
    years: Annotated[int, Meta(ge=0, le=100)] = 0
    days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    starts: Literal["report", "intake"]
    says: str
    source: Annotated[str, Meta(min_length=1)]
    checked: date
    confirmed: bool


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    rule: tuple[Rule, ...]


class Kept(Struct, frozen=True, kw_only=True):
    """Until when an object must be kept, and the rule that says so."""

    until: datetime
    rule: Rule


class Retention(Struct, frozen=True):
    """All rules in force."""

    rules: tuple[Rule, ...]

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that have rules of their own."""
        return tuple(sorted({r.region for r in self.rules} - {EVERYWHERE}))

    def kept(
        self, *, regions: Iterable[str], kind: RuleKind, intake: datetime, reported: datetime | None
    ) -> Kept:
        """The longest time of all rules for these regions. Where no region is known, those of every region apply.

        Raises:
            CasebookError: no rule applies at all.
        """
        named = set(regions)
        found = [
            Kept(
                until=times.later(
                    intake if rule.starts == "intake" else max(intake, reported or intake),
                    rule.years,
                    rule.days,
                ),
                rule=rule,
            )
            for rule in self.rules
            if rule.kind in (kind, "*") and (rule.region == EVERYWHERE or not named or rule.region in named)
        ]
        if not found:
            raise CasebookError("no retention rule applies; keep the rule of region '*'", "no_retention")
        return max(found, key=lambda kept: kept.until)


def check_regions(regions: Iterable[str]) -> None:
    """That all of them are countries as ISO 3166 writes them in two letters.

    Raises:
        CasebookError: one is not; a wrong one would shorten how long evidence is kept.
    """
    for region in regions:
        if region == "UK":
            raise CasebookError("region 'UK': the United Kingdom is GB", "region")
        if not (len(region) == 2 and region.isascii() and region.isalpha() and region.isupper()):
            raise CasebookError(
                f"region {region!r}: two capital letters as in ISO 3166, such as GB or US", "region"
            )


def load_retention(path: Path | None = None) -> Retention:
    """The shipped rules, and those of an operator's file over them (the same `id` replaces).

    Raises:
        CasebookError: the file cannot be read or is no such file.
    """
    shipped = resources.files(__package__).joinpath("retention.toml").read_bytes()
    rules = {rule.id: rule for rule in _parse(shipped, "the shipped retention.toml")}
    if path is not None:
        try:
            own = path.read_bytes()
        except OSError as error:
            raise CasebookError(f"{path} cannot be read: {error.strerror}") from None
        rules |= {rule.id: rule for rule in _parse(own, str(path))}
    return Retention(tuple(rules.values()))


def _parse(data: bytes, name: str) -> tuple[Rule, ...]:
    try:
        return msgspec.convert(tomllib.loads(data.decode()), _File, strict=False).rule
    except (ValueError, msgspec.ValidationError) as error:
        raise CasebookError(f"{name}: {error}") from None
