"""Plain lists of hashes: what is read, what survives a round trip, and what is refused by its line."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_cases import entries, made_up, written
from underwing.banks.entries import Entry, EntryHash, Update, Withdrawn
from underwing.banks.formats import FormatError, Tally, hashlist
from underwing.banks.labels import Labels

LABELS = Labels.load()
MD5, SHA1, SHA256, PDQ = (made_up(1, kind) for kind in ("md5", "sha1", "sha256", "pdq"))


def listed(text: str | bytes, **options: object) -> list[Update]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(hashlist.read(io.BytesIO(data), **options))


def test_one_hash_a_line() -> None:
    text = f"# ours\n\n{MD5.upper()}\r\n  {SHA1}  \n"
    assert listed(text, source="ours", label="test") == [
        Entry(id=MD5, label="test", hashes=(EntryHash("md5", MD5),), source="ours"),
        Entry(id=SHA1, label="test", hashes=(EntryHash("sha1", SHA1),), source="ours"),
    ]


def test_64_digits_are_only_taken_when_somebody_says_what_they_are() -> None:
    with pytest.raises(FormatError, match="line 1: 64 digits may be SHA-256 or PDQ"):
        listed(SHA256)
    for kind in ("sha256", "pdq"):
        (entry,) = listed(SHA256, digits64=kind)
        assert entry.hashes == (EntryHash(kind, SHA256),)
    for header, kind in (
        ("SHA-256", "sha256"),
        ("sha256_hash", "sha256"),
        ("pdq_hash", "pdq"),
        ("PDQ", "pdq"),
    ):
        (entry,) = listed(f"{header},note\n{SHA256},x\n")
        assert entry.hashes == (EntryHash(kind, SHA256),)
    (entry,) = listed(f"kind,hash\nPDQ,{PDQ}\n")
    assert entry.hashes == (EntryHash("pdq", PDQ),)


def test_csv_with_several_hashes_in_a_row_and_several_rows_an_entry() -> None:
    text = (
        "id,md5,sha1,pdq,how,at,quality,label\n"
        f"a,{MD5},{SHA1},{PDQ},,,90,csam\n"
        f"a,,,{made_up(2, 'pdq')},mirrored,1.5,,csam\n"
        f"b,{MD5},,,,,,\n"
    )
    a, b = listed(text, label="ncii")
    assert a.hashes == (
        EntryHash("sha1", SHA1),
        EntryHash("md5", MD5),
        EntryHash("pdq", PDQ, quality=90),
        EntryHash("pdq", made_up(2, "pdq"), "mirrored", 1.5),
    )
    assert (a.label, b.label) == ("csam", "ncii")


def test_a_sources_label_is_mapped_and_kept() -> None:
    text = f"md5,scheme,code,country\n{MD5},vics,2,us\n"
    (entry,) = listed(text, labels=LABELS)
    assert (entry.label, entry.scheme, entry.code, entry.country) == ("exploitative", "vics", "2", "US")
    with pytest.raises(FormatError, match=r"line 2: vics in US: unknown code '7'"):
        listed(text.replace(",2,", ",7,"), labels=LABELS)


def test_columns_that_are_not_known_are_counted() -> None:
    tally = Tally()
    assert len(list(hashlist.read(io.BytesIO(f"md5,PhotoDNA,note\n{MD5},x,y\n".encode()), tally))) == 1
    assert tally.skipped == {"column photodna": 1}


@given(st.lists(entries(), max_size=6, unique_by=lambda e: e.id))
def test_our_own_export_loses_nothing(given_: list[Entry]) -> None:
    updates = [*given_, Withdrawn(id="gone")]
    data = written(hashlist.write, updates)
    assert listed(data) == updates
    assert listed(b"\xef\xbb\xbf" + data) == updates


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello", "line 1: 5 characters are no MD5"),
        (f"{MD5}\n{MD5[:-1]}x\n", "line 2: no hash"),
        (f"md5\n{MD5}\n{MD5},extra\n", "line 3: 2 cells under 1 columns"),
        (f"md5\n{MD5}zz\n", "line 2: no md5"),
        ('md5,note\n"abc', "no CSV"),
        (f"md5,label\n{MD5},evil\n", "line 2: 'evil' is no label"),
        (f"md5,status\n{MD5},lost\n", "line 2: unknown status"),
        (f"md5,media\n{MD5},song\n", "line 2: `media` is"),
        (f"md5,added_at\n{MD5},soon\n", "line 2: a time is"),
        (f"pdq,quality\n{PDQ},101\n", "quality"),
        (f"pdq,at\n{PDQ},nan\n", "`at`"),
        (f"kind,hash\nphotodna,{MD5}\n", "line 2: unknown kind of hash 'photodna'"),
        ("id,md5\n,\nb\n,x", "line 4"),
        (f"id,md5\n{'i' * 300},{MD5}\n", "id has 300 characters"),
        (MD5.encode() + b"\n\xff\xfe", "line 2: not UTF-8"),
        (MD5.encode() + b"\n\0", "line 2: it holds a zero byte"),
        (f"id,md5\na\x07b,{MD5}\n", "line 2: its id holds a control character"),
        ("x" * 100_000, "line 1: longer than"),
        ("md5\n" + MD5 + "\n" + "x" * 100_000, "line 3: longer than"),
    ],
)
def test_a_bad_list_is_refused_by_line(text: str | bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says) as refused:
        listed(text)
    assert MD5 not in str(refused.value)


def test_a_quoted_cell_over_many_lines_is_bounded() -> None:
    text = 'md5,note\n"' + "x" * 1000 + "\n" * 3
    with pytest.raises(FormatError, match="no CSV"):
        listed(text * 1 + ("y" * 60_000 + "\n") * 10)
