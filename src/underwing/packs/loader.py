"""Reading packs from TOML. TOML, because in YAML the word `no` is a boolean and in many languages a refusal."""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec

from underwing.model import Act, Direction, MendableError
from underwing.text.claims import ClaimFinder
from underwing.text.entries import Entry, EntryError
from underwing.text.patterns import PatternError
from underwing.text.scan import Scanner

FORMAT = 1


class PackError(MendableError, ValueError):
    """A pack that cannot be loaded; names the file and what to mend."""


class _EntryFile(msgspec.Struct, forbid_unknown_fields=True):
    id: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_]+(\.[a-z0-9_-]+)+$")]
    stage: str
    act: Act
    direction: Direction
    weight: float
    source: str
    match: list[str]
    unless: list[str] = []
    needs: list[str] = []
    frame: bool = False
    examples: list[str] = []
    counter: list[str] = []


class _PackFile(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    lang: Annotated[str, msgspec.Meta(min_length=2, max_length=16)]
    version: str
    about: str = ""
    sources: dict[str, str] = {}
    slots: dict[str, list[str]] = {}
    claims: dict[str, list[str]] = {}
    entry: list[_EntryFile] = []


class Packs:
    """All loaded packs as one: entries, a scanner over them, claim phrases and a content hash."""

    def __init__(self, files: list[tuple[str, _PackFile]], digest: str) -> None:
        self.version = digest
        self.sources: dict[str, str] = {}
        entries: dict[str, Entry] = {}
        ages: list[tuple[str, dict[str, list[str]]]] = []
        places: list[tuple[str, dict[str, list[str]]]] = []
        slots_of: dict[str, dict[str, list[str]]] = {}
        self.languages: list[str] = []
        for name, pack in files:
            slots = {**slots_of.get(pack.lang, {}), **pack.slots}
            slots_of[pack.lang] = slots
            if pack.lang not in self.languages:
                self.languages.append(pack.lang)
            self.sources.update(pack.sources)
            for kind, patterns in pack.claims.items():
                if kind not in ("age", "place"):
                    raise PackError(f"{name}: unknown claim {kind!r}; known are age and place")
                (ages if kind == "age" else places).extend((p, slots) for p in patterns)
            for raw in pack.entry:
                try:
                    entry = Entry(
                        slots=slots,
                        lang=pack.lang,
                        **{**msgspec.structs.asdict(raw), "id": f"{pack.lang}.{raw.id}"},
                    )
                except EntryError as error:
                    raise PackError(f"{name}: {error}") from None
                entries[entry.id] = entry
        self.entries = list(entries.values())
        try:
            self.claims = ClaimFinder(ages, places)
        except PatternError as error:
            raise PackError(f"claims: {error}") from None
        try:
            self.scanner = Scanner(self.entries, self.claims.places)
        except ValueError as error:
            raise PackError(f"all packs together: {error}") from None


def builtin_directory() -> Path:
    """Where the packs that ship with Underwing are."""
    return Path(__file__).parent / "data"


def _read(path: Path) -> tuple[_PackFile, bytes]:
    try:
        data = path.read_bytes()
        raw: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
        pack = msgspec.convert(raw, _PackFile)
    except OSError as error:
        raise PackError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise PackError(f"{path}: {error}") from None
    if pack.format != FORMAT:
        raise PackError(f"{path}: format {pack.format} is not known, this version reads format {FORMAT}")
    return pack, data


def load_packs(overlay: Path | None = None, *, builtin: bool = True) -> Packs:
    """Load the shipped packs and, over them, every `*.toml` of the directory `overlay`.

    Raises:
        PackError: a file that cannot be read or an entry that cannot be used.
    """
    directories = [builtin_directory()] if builtin else []
    if overlay is not None:
        if not overlay.is_dir():
            raise PackError(f"{overlay} is not a directory of packs")
        directories.append(overlay)
    files: list[tuple[str, _PackFile]] = []
    digest = hashlib.sha256()
    for directory in directories:
        for path in sorted(directory.glob("*.toml")):
            pack, data = _read(path)
            files.append((path.name, pack))
            digest.update(path.name.encode() + b"\0" + data)
    return Packs(files, digest.hexdigest()[:16])
