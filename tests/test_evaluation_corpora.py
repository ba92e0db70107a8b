"""Reading the corpus format and plain exports; and that no reader ever raises anything but its own error."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluation_cases import risk, safe
from underwing.evaluation import Conversation, CorpusError, read
from underwing.model import encode

SECRET = "private words - at `$.x`"


@pytest.fixture
def put(tmp_path):
    def write(content, name="file"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def corpus_line(**changes) -> str:
    return json.dumps(json.loads(encode(risk())) | changes)


def refusal(path, **options) -> CorpusError:
    with pytest.raises(CorpusError) as caught:
        list(read(path, **options))
    assert "private" not in str(caught.value)
    return caught.value


def test_the_corpus_format_is_read_back_as_written(put):
    whole = [risk(family="coach-lift", harm=6, stages={2: "isolate"}), safe(lang="es-MX", channel="group")]
    path = put(b"\n".join(map(encode, whole)) + b"\n\n")
    assert list(read(path)) == whole


def test_a_line_as_in_the_format_description(put):
    line = {
        "id": "dev-1", "lang": "en-AU", "channel": "live", "label": "risk", "kind": "live_coercion",
        "accounts": [{"id": "u1", "declared_age": None, "minor": None},
                     {"id": "u2", "declared_age": 14, "minor": True}],
        "actor": "u1", "onset": 1, "harm": None,
        "messages": [{"t": "2025-02-03T12:41:18Z", "from": "u2", "text": "hi"},
                     {"t": "2025-02-03T12:41:43Z", "from": "u1", "text": "who is?", "stage": "risk_check"}],
    }  # fmt: skip
    [found] = read(put("\ufeff" + json.dumps(line)))
    assert found.messages[1].stage == "risk_check"
    assert found.messages[0].t == datetime(2025, 2, 3, 12, 41, 18, tzinfo=UTC)
    assert found.accounts[1].minor is True
    assert found.family is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label": SECRET}, "$.label"),
        ({"onset": 99}, "`onset` is beyond"),
        ({"harm": -1}, "$.harm"),
        ({"actor": "nobody"}, "`actor`"),
        ({"label": "safe"}, "a safe conversation has no"),
        ({"messages": [{"t": "2025-02-03T12:41:18Z", "from": "x", "text": SECRET}]}, "message 0 is from"),
        ({"messages": [{"t": "yesterday", "from": "a", "text": SECRET}]}, "$.messages"),
        ({"messages": [{"t": "2025-02-03T12:41:18", "from": "a", "text": SECRET}]}, "$.messages"),
        ({"messages": []}, "$.messages"),
        ({"accounts": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}, "listed twice"),
        ({"accounts": [{"id": "a", "declared_age": 900}, {"id": "b"}]}, "$.accounts"),
    ],
)
def test_a_bad_line_is_named_and_its_text_is_not(put, changes, said):
    path = put(corpus_line() + "\n" + corpus_line(id="second", **changes))
    error = refusal(path)
    assert error.line == 2
    assert str(error).startswith(f"{path}:2: ")
    assert said in str(error)


def test_good_lines_before_a_bad_one_are_still_given(put):
    stream = read(put(corpus_line() + "\n{private"))
    assert next(stream).id == "r1"
    with pytest.raises(CorpusError, match=":2: "):
        next(stream)


def test_an_id_that_comes_twice_is_refused(put):
    assert refusal(put(corpus_line() + "\n" + corpus_line())).line == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"  \n\n", "empty"),
        (b"[{}]", "JSON Lines"),
        ("private".encode("utf-16"), "UTF-16"),
        (b'{"messages": "\xff private"}', "not UTF-8"),
        (b'{"messages": ' + b"[" * 100_000, "deeply"),
        (b"who,what\nprivate,private\n", "`conversation`, `at`, `from`, `text`"),
    ],
)
def test_files_of_no_known_kind_say_what_to_do(put, content, said):
    assert said in str(refusal(put(content)))


def test_a_missing_file_and_a_directory_are_the_readers_error_too(tmp_path):
    assert "cannot be read" in str(refusal(tmp_path / "none"))
    assert "cannot be read" in str(refusal(tmp_path))


def test_label_files_go_with_pan_only(put):
    path = put(corpus_line())
    assert "PAN-2012" in str(refusal(path, labels=put("x", "labels")))


CSV = """\ufeffConversation;At;From;To;Text;Label;Actor;Extra
c1;2025-03-01T16:02:00Z;ann;;"well; ""yes""
two lines";;;x
c2;2025-03-01 16:00;bob;cal;hello;;;x
c1;2025-03-01T18:01:00+02:00;zed;ann;hi ann;risk;zed;x
"""


def test_a_csv_export_is_gathered_by_conversation_in_time_order(put):
    first, second = read(put(CSV))
    assert [(line.sender, line.text) for line in first.messages] == [
        ("zed", "hi ann"),
        ("ann", 'well; "yes"\ntwo lines'),
    ]
    assert (first.label, first.actor, first.channel) == ("risk", "zed", "dm")
    assert (second.id, second.label, second.lang) == ("c2", None, "und")
    assert [one.id for one in second.accounts] == ["bob", "cal"]
    assert second.messages[0].t == datetime(2025, 3, 1, 16, 0, tzinfo=UTC)


def test_a_json_lines_export_is_read(put):
    rows = [
        {
            "conversation": 7,
            "at": "2025-03-01T16:00:00Z",
            "from": 1,
            "to": [2, 3],
            "text": "hi",
            "label": "safe",
        },
        {"conversation": 7, "at": "2025-03-01T16:01:00Z", "from": 2, "text": None, "lang": "pl"},
    ]
    [found] = read(put("\n".join(map(json.dumps, rows))))
    assert (found.id, found.label, found.channel, found.lang) == ("7", "safe", "group", "pl")
    assert [line.text for line in found.messages] == ["hi", ""]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"at": SECRET}, "ISO 8601"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "ISO 8601"),
        ({"from": None}, "`from`"),
        ({"from": True}, "`from`"),
        ({"text": [SECRET]}, "`text`"),
        ({"to": {"a": 1}}, "`to`"),
        ({"label": SECRET}, "$.label"),
        ({"label": "safe", "actor": "a"}, "a safe conversation"),
        ({"channel": SECRET}, "$.channel"),
        ({"conversation": "x" * 500}, "$.id"),
        ({"stage": 4}, "`stage`"),
    ],
)
def test_a_bad_row_is_named_and_its_text_is_not(put, row, said):
    good = {"conversation": "k", "at": "2025-03-01T16:00:00Z", "from": "a", "text": SECRET}
    lines = [json.dumps(good | {"conversation": "other"}), json.dumps(good | row)]
    with pytest.raises(CorpusError) as caught:
        list(read(put("\n".join(lines))))
    assert caught.value.line == 2
    assert said in str(caught.value)
    assert "private" not in str(caught.value)


def test_labels_that_contradict_each_other_are_refused(put):
    row = {"conversation": "k", "at": "2025-03-01T16:00:00Z", "from": "a", "text": ""}
    lines = [json.dumps(row | {"label": "risk"}), json.dumps(row | {"label": "safe"})]
    assert "`label` differs" in str(refusal(put("\n".join(lines))))


def test_broken_quoting_is_named(put):
    error = refusal(put('conversation,at,from,text\nc,2025-03-01T16:00,a,"private" words\n'))
    assert error.line == 2


starts = st.sampled_from(
    [
        b"",
        b"{",
        b'{"messages":[',
        b'{"conversation":"c","at":"2025-01-01","from":"a","text":"',
        b"conversation,at,from,text\nc,2025-01-01,a,",
        b"<conversations>",
        b'<conversations><conversation id="1"><message line="1"><author>a</author><time>',
        b'<?xml version="1.0" encoding="',
        b"<!DOCTYPE x [",
        b"\xef\xbb\xbf",
        encode(risk())[:300],
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    starts,
    st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda s: s.encode("utf-8", "replace"))),
)
@example(b'<?xml version="1.0" encoding="', b'utf-32"?><conversations/>')
@example(b'<?xml version="1.0" encoding="', b'nonsense"?><conversations/>')
@example(b'{"messages":[', b'"\\ud800"]}')
@example(b'{"conversation":"c","at":"2025-01-01","from":"a","text":"', b'\\ud800"}')
def test_arbitrary_bytes_give_conversations_or_the_readers_own_error(tmp_path_factory, start, rest):
    path = tmp_path_factory.getbasetemp() / "arbitrary"
    path.write_bytes(start + rest)
    with suppress(CorpusError):
        for one in read(path):
            assert isinstance(one, Conversation)
            assert encode(one)
