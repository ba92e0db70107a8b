"""What a source calls its entries, mapped to the neutral labels. The tables are data (`labels.toml`), each with its source.

Nothing is guessed: a code that no table knows is refused, so that a new category is looked at by a person, unless the
operator says what unknown ones shall be.
"""

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import msgspec

from underwing.model import LABELS, MendableError

SHIPPED = Path(__file__).with_name("labels.toml")


class LabelError(MendableError, ValueError):
    """A code that no table knows, or a table that cannot be used; says what to do."""


class Scheme(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table: the codes of one scheme, in one country where that matters. `*` stands for any code."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,31}$")]
    codes: dict[str, str]
    source: Annotated[str, msgspec.Meta(min_length=1)]
    date: date
    verified: bool
    country: Annotated[str, msgspec.Meta(pattern="^([A-Z]{2})?$")] = ""
    passed_over: tuple[str, ...] = ()


class _File(msgspec.Struct, forbid_unknown_fields=True):
    scheme: list[Scheme] = []


class Labels:
    """All tables as one. Later files replace the tables of earlier ones, by scheme and country."""

    def __init__(
        self, schemes: list[Scheme], *, unknown: str | None = None, unverified: bool = False
    ) -> None:
        """`unknown` is the label of codes that no table knows (None: refused); `unverified` uses tables without a source.

        Raises:
            LabelError: a table names a label that is none of `model.LABELS`.
        """
        if unknown is not None and unknown not in LABELS:
            raise LabelError(f"unknown codes cannot become {unknown!r}; labels are {', '.join(LABELS)}")
        self.schemes = schemes
        self._unknown = unknown
        self._unverified = unverified
        self._tables: dict[tuple[str, str], tuple[Scheme, dict[str, str | None]]] = {}
        for scheme in schemes:
            table: dict[str, str | None] = {code.casefold(): None for code in scheme.passed_over}
            for code, label in scheme.codes.items():
                if label not in LABELS:
                    raise LabelError(f"{scheme.name} {code!r}: {label!r} is no label")
                table[code.casefold()] = label
            self._tables[scheme.name, scheme.country] = scheme, table

    @classmethod
    def load(cls, *files: Path, unknown: str | None = None, unverified: bool = False) -> "Labels":
        """The shipped tables, and those of an operator's own files over them.

        Raises:
            LabelError: a file cannot be read; names it.
        """
        schemes: list[Scheme] = []
        for path in (SHIPPED, *files):
            try:
                content: Any = tomllib.loads(path.read_text(encoding="utf-8"))
                schemes += msgspec.convert(content, _File).scheme
            except (OSError, UnicodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
                raise LabelError(f"{path}: {error}") from None
        return cls(schemes, unknown=unknown, unverified=unverified)

    def label(self, scheme: str, code: str, country: str = "") -> str | None:
        """The neutral label of a source's code, or None for one that is of no concern and is not banked.

        Raises:
            LabelError: no table for the scheme (in that country), an unverified one, or a code it does not know.
        """
        country = "GB" if country == "UK" else country
        found = self._tables.get((scheme, country))
        if found is None:
            countries = ", ".join(sorted(c for name, c in self._tables if name == scheme and c))
            if countries and not country:
                raise LabelError(
                    f"{scheme}: its codes mean another thing in each country; name one ({countries})"
                )
            raise LabelError(
                f"no table for {scheme}{' in ' + country if country else ''}; bring one in a file of your own"
            )
        table, codes = found
        if not table.verified and not self._unverified:
            raise LabelError(
                f"the table for {scheme} in {country or 'any country'} has no public source;"
                " say that unverified tables may be used, or bring one in a file of your own"
            )
        key = code.casefold()
        if key in codes:
            return codes[key]
        if "*" in codes:
            return codes["*"]
        if self._unknown is not None:
            return self._unknown
        where = f" in {country}" if country else ""
        raise LabelError(
            f"{scheme}{where}: unknown code {code[:40]!r}; map it in a file of your own, or say what unknown ones are"
        )
