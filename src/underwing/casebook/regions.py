"""What differs between regions: how soon a case is due, and how much context may wait. Data, with source and date."""

import tomllib
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

PRIORITIES = ("imminent", "extortion", "image", "early", "known")
_Seconds = Annotated[int, Meta(ge=60, le=90 * 86_400)]


class RegionError(ValueError):
    """A region file that cannot be used; names it and what to mend."""


class Clock(Struct, frozen=True, forbid_unknown_fields=True):
    """How soon a case is due, in seconds, by priority."""

    imminent: _Seconds
    extortion: _Seconds
    image: _Seconds
    early: _Seconds
    known: _Seconds


class Window(Struct, frozen=True, forbid_unknown_fields=True):
    """How much context waits: at most `count` messages of a conversation, at most `hours` old. 0 keeps nothing."""

    count: Annotated[int, Meta(ge=0, le=1_000)] = 50
    hours: Annotated[int, Meta(ge=0, le=720)] = 72

    def within(self, other: "Window") -> "Window":
        """What both allow."""
        return Window(count=min(self.count, other.count), hours=min(self.hours, other.hours))


WIDEST = Window(count=1_000, hours=720)
"""What no window exceeds."""


class Region(Struct, frozen=True, forbid_unknown_fields=True):
    """One region: its countries (ISO 3166), clocks, context, and where that comes from.

    `confirmed` is False where the rule was read in a third party's text only.
    """

    source: str
    checked: date
    clock: Clock
    countries: tuple[str, ...] = ()
    confirmed: bool = False
    note: str = ""
    context: Window = Window()


class Regions:
    """All regions; `default` stands for countries without one and for an unknown country."""

    def __init__(self, regions: dict[str, Region]) -> None:
        if "default" not in regions:
            raise RegionError("there must be a region named default")
        self.regions = regions
        self._of: dict[str, Region] = {}
        for name, region in regions.items():
            for country in region.countries:
                if country in self._of:
                    raise RegionError(f"{country} is in two regions, one of them {name}")
                self._of[country] = region

    def of(self, country: str) -> Region:
        """The region of a country ("" when it is not known)."""
        return self._of.get(country, self.regions["default"])

    def clock(self, country: str, priority: str) -> int:
        """Seconds until a case of `priority` is due."""
        seconds: int = getattr(self.of(country).clock, priority)
        return seconds

    def window(self, country: str) -> Window:
        """How much context may wait."""
        return self.of(country).context


class _File(Struct, forbid_unknown_fields=True):
    format: int
    region: dict[str, Region]


def load_regions(path: Path | None = None) -> Regions:
    """The regions of a TOML file (None: the shipped one).

    Raises:
        RegionError: unreadable, not in the format, or a country named twice.
    """
    try:
        text = (
            path.read_text("utf-8")
            if path
            else files(__package__).joinpath("regions.toml").read_text("utf-8")
        )
        read = msgspec.convert(tomllib.loads(text), _File)
    except OSError as error:
        raise RegionError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise RegionError(f"{path or 'regions.toml'}: {error}") from None
    if read.format != 1:
        raise RegionError(
            f"{path or 'regions.toml'}: format {read.format} is not known, this version reads format 1"
        )
    return Regions(read.region)
