"""What is said of one file that was looked at: a line of JSON in a fixed shape, or a few lines for people."""

from collections.abc import Iterator

import msgspec
from msgspec import UNSET, Struct, UnsetType

from underwing.banks.matching import Matches
from underwing.cli.common import LEVEL_STYLE, escaped, printable
from underwing.engine import level_of
from underwing.model import MediaHashes, MediaMatch, MediaScore, Pdq

FOUND, CLEAR, FAILED = 1, 0, 2
"""Exit codes of `match` and `scan`, as clamscan's: something matched; nothing did; nothing did, but not all was checked."""

NO_MEDIA = "no picture or video: only its exact hashes were compared"


class Outcome(Struct, frozen=True, kw_only=True):
    """One line of `match --json` and `scan --json`.

    `pdq` is null where there is none (videos, files that could not be decoded); the hashes are null where the file could
    not even be read. `level` is what the engine would say of it: `none` or `review`. `score` is there only where a
    classifier was asked: its guess, null where it gave none, and `unscored` says why.
    """

    file: str
    sha256: str | None = None
    md5: str | None = None
    pdq: Pdq | None = None
    matches: tuple[MediaMatch, ...] = ()
    level: str = "none"
    error: str | None = None
    score: MediaScore | None | UnsetType = UNSET
    unscored: str | UnsetType = UNSET


def outcome(file: str, hashes: MediaHashes, matches: Matches) -> Outcome:
    """What is said of a file with these hashes and matches."""
    error = NO_MEDIA if not hashes.type else hashes.error
    return Outcome(
        file=file, sha256=hashes.sha256 or None, md5=hashes.md5 or None, pdq=hashes.pdq, matches=matches.matches,
        level=level_of(matches.matches).name, error=error,
        score=UNSET if hashes.score is None and hashes.unscored is None else hashes.score,
        unscored=UNSET if hashes.unscored is None else hashes.unscored,
    )  # fmt: skip


def unread(file: str, error: str) -> Outcome:
    """What is said of a file that could not be read."""
    return Outcome(file=file, error=error)


def exit_code(matched: int, failed: int) -> int:
    """A match weighs more than a failure."""
    return FOUND if matched else FAILED if failed else CLEAR


def outcome_lines(said: Outcome, more: int = 0) -> Iterator[str]:
    """An outcome for people, as lines of console markup; `more` hits were not looked at."""
    name = escaped(printable(said.file))
    if said.matches:
        style = LEVEL_STYLE[said.level] if said.level != "none" else "bold yellow"
        yield f"[{style}] {said.matches[0].label.upper()} [/] {name}"
    elif said.error is not None:
        yield f"[yellow] UNCHECKED [/] {name}  [dim]{escaped(printable(said.error))}[/]"
    else:
        yield f"[green] clear [/] {name}"
    for match in said.matches:
        where = f"  {match.range[0]:.1f}-{match.range[1]:.1f} s" if match.range else ""
        entry = escaped(printable(f"{match.bank}/{match.entry}"))
        how = escaped(printable(match.how))
        yield f"    [bold]{match.label:<12}[/] {match.signal:<6} distance {match.distance:>2}  {how}{where}  [dim]{entry}[/]"
    if more:
        yield f"    [dim]… and {more} more hits that were not looked at[/]"
    if isinstance(said.score, MediaScore):
        guess = f"{said.score.name} {said.score.version} gives {round(100 * said.score.score)} of 100: a guess, no verdict"
        yield f"    [dim]{escaped(printable(guess))}[/]"
    elif said.unscored:
        yield f"    [dim]not scored: {escaped(printable(said.unscored))}[/]"
    if said.matches and said.error is not None:
        yield f"    [yellow]not checked to its end:[/] [dim]{escaped(printable(said.error))}[/]"


def json_line(file: str, rest: bytes) -> bytes:
    """A kept outcome (see `json_rest`) under a file's name."""
    return b'{"file":' + msgspec.json.encode(file) + b"," + rest + b"\n"


def json_rest(said: Outcome) -> bytes:
    """An outcome as JSON without the file's name, so that it can be kept for whatever file has these bytes."""
    body = msgspec.json.encode(msgspec.structs.replace(said, file=""))
    return body[len(b'{"file":"",') :]


def from_rest(file: str, rest: bytes) -> Outcome:
    """The outcome that `json_rest` wrote."""
    return msgspec.json.decode(json_line(file, rest), type=Outcome)
