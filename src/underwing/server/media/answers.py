"""The shapes of what the media surfaces take and answer: for the codec and for OpenAPI."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from underwing.banks.entries import Agreement, Bank, Entry, Name
from underwing.banks.exchanges import Health
from underwing.model import LABELS, Decision, MediaMatch, MediaScore, Pdq
from underwing.model.events import At, Id, Recipients, Surface
from underwing.model.media import PdqHex

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Sha1 = Annotated[str, Meta(pattern="^[0-9a-f]{40}$")]
Md5 = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
Quality = Annotated[int, Meta(ge=0, le=100)]
Distance = Annotated[int, Meta(ge=0, le=31)]
Label = Literal["csam", "exploitative", "ncii", "terrorism", "blocked", "false_match", "test"]
LabelDistance = Annotated[
    dict[Annotated[str, Meta(pattern=f"^({'|'.join(LABELS)})$")], Distance], Meta(max_length=16)
]
Note = Annotated[str, Meta(max_length=1000)]
EntryId = Annotated[str, Meta(min_length=1, max_length=256)]
MOST_QUERIES = 1_000
"""Queries of one request to `/v1/hashes`."""
MOST_ENTRIES = 1_000
"""Entries of one request that adds them, and of a page."""


class EventFields(Struct, frozen=True, kw_only=True):
    """Where and by whom a file was sent: with them a check becomes a `media` event, and has a decision."""

    id: Id
    at: At
    surface: Surface
    conversation: Id
    sender: Id = field(name="from")
    to: Recipients = []


class MediaAnswer(Struct, frozen=True, kw_only=True):
    """What a file is and what it matched.

    `frames` counts the frames of a film or an animation that were looked at, `duration` its seconds. `more` is how many
    further hits were not looked at. With an `error` it could not be checked and should stay held. `score` is a classifier's
    guess, null unless one is set; `unscored` says why it gave none. `receipt` is a compact JWS over the SHA-256 and the
    verdict. `evidence`: where the decision asks for a case, whether the bytes were sealed into it
    (`kept`), still are being (`pending`), or were not (`missing`: keep them, and bring them again).
    """

    sha256: str
    sha1: str
    md5: str
    size: int
    type: str
    pdq: Pdq | None
    frames: int
    duration: float | None
    matches: tuple[MediaMatch, ...]
    more: int
    error: str | None
    score: MediaScore | None
    unscored: str | None
    decision: Decision | None
    receipt: str
    evidence: Literal["kept", "missing", "pending"] | None = None


class HashQuery(Struct, frozen=True, kw_only=True):
    """Some hashes of one file; `quality` is that of the picture for its PDQ hash."""

    sha256: Sha256 | None = None
    sha1: Sha1 | None = None
    md5: Md5 | None = None
    pdq: PdqHex | None = None
    quality: Quality = 100
    event: EventFields | None = None


class HashAnswer(Struct, frozen=True, kw_only=True):
    """What some hashes matched, and the decision when event fields were given."""

    matches: tuple[MediaMatch, ...]
    more: int
    decision: Decision | None


HashQueries = Annotated[list[HashQuery], Meta(min_length=1, max_length=MOST_QUERIES)]


class BankAnswer(Struct, frozen=True, kw_only=True):
    """A bank, whether it matches now (else `why_not`), and how many entries it has by status."""

    bank: Bank
    matches: bool
    why_not: str
    created_by: str
    created_at: int
    entries: dict[str, int]


class BankAnswers(Struct, frozen=True, kw_only=True):
    """Every bank, by name."""

    banks: tuple[BankAnswer, ...]


class NewBank(Struct, frozen=True, kw_only=True):
    """A bank to be made; see `Bank` for what its settings mean."""

    name: Name
    label: Label = "blocked"
    enabled: bool = True
    negative: bool = False
    distance: Distance | None = None
    quality: Quality | None = None
    label_distance: LabelDistance = {}
    agreement: Name | None = None
    note: Note = ""


class BankChange(Struct, frozen=True, kw_only=True):
    """What of a bank's settings is to become another; what is not named stays."""

    label: Label | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    negative: bool | UnsetType = UNSET
    distance: Distance | None | UnsetType = UNSET
    quality: Quality | None | UnsetType = UNSET
    label_distance: LabelDistance | UnsetType = UNSET
    agreement: Name | None | UnsetType = UNSET
    note: Note | UnsetType = UNSET


class NewHash(Struct, frozen=True, kw_only=True):
    """A hash of an entry that is added."""

    kind: Literal["sha256", "sha1", "md5", "pdq"]
    hash: Annotated[str, Meta(pattern="^[0-9a-f]{32,64}$")]
    quality: Quality = 100


class NewEntry(Struct, frozen=True, kw_only=True):
    """What an operator says of an entry that is added; without `label` it has the bank's. `hashes` are those it is known by,
    and are left out when its bytes are sent. Times are epoch seconds.
    """

    id: EntryId | None = None
    label: Label | Literal[""] = ""
    hashes: Annotated[list[NewHash], Meta(max_length=64)] = []
    scheme: Annotated[str, Meta(max_length=32)] = "own"
    code: Annotated[str, Meta(max_length=64)] = ""
    country: Annotated[str, Meta(pattern="^([A-Z]{2})?$")] = ""
    source: Annotated[str, Meta(max_length=256)] = ""
    note: Note = ""
    expires_at: Annotated[int, Meta(ge=0, le=1 << 40)] | None = None


class NewEntries(Struct, frozen=True, kw_only=True):
    """Entries that are added to a bank; an id that it has is replaced."""

    entries: Annotated[list[NewEntry], Meta(min_length=1, max_length=MOST_ENTRIES)]


class AddedEntries(Struct, frozen=True, kw_only=True):
    """The ids of the entries, in their order, and what became of them."""

    ids: tuple[str, ...]
    added: int
    replaced: int
    unchanged: int


class EntryPage(Struct, frozen=True, kw_only=True):
    """Entries in the order of their ids; ask again with `after` = `last` until a page is empty."""

    entries: tuple[Entry, ...]
    last: str


class StatusAnswer(Struct, frozen=True, kw_only=True):
    """An entry's status now, and whether it was another before."""

    id: str
    status: Literal["active", "disabled", "withdrawn"]
    changed: bool


class Opinion(Struct, frozen=True, kw_only=True):
    """What a reviewer thinks of an entry after a match, for its source to be told."""

    up: bool
    reason: Note = ""


class Noted(Struct, frozen=True, kw_only=True):
    """The number under which something was noted."""

    number: int


class AgreementAnswer(Struct, frozen=True, kw_only=True):
    """A line of the agreements register, and whether it has expired."""

    agreement: Agreement
    expired: bool


class AgreementAnswers(Struct, frozen=True, kw_only=True):
    """The agreements register, by name."""

    agreements: tuple[AgreementAnswer, ...]


class ExchangeAnswer(Struct, frozen=True, kw_only=True):
    """How a source of lists does: the bank it fills and what was noted of it. `late`: nothing came for a day."""

    bank: str
    source: str
    state: Literal["new", "ok", "failing", "late"]
    health: Health


class ExchangeAnswers(Struct, frozen=True, kw_only=True):
    """Every source that was ever asked."""

    exchanges: tuple[ExchangeAnswer, ...]
