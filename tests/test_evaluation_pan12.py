"""The PAN-2012 format with everything its users have tripped over, in a file made here."""

import pytest

from underwing.evaluation import CorpusError, read
from underwing.evaluation.pan12 import START

XML = """<?xml version="1.0" encoding="UTF-8"?>
<conversations>
  <conversation id="c1">
    <message line="1"><author> pred </author><time>23:58</time>
      <text>hi &amp;amp; hello &amp;lt;3</text></message>
    <message line="2"><author>kid</author><time>23:59</time><text/></message>
    <message line="3"><author>
      pred
    </author><time>00:01</time><text>mail <email/> me</text></message>
    <message line="4"><author>kid</author><time>00:00</time></message>
    <message line="5"><author>kid</author><time>12:30</time>
      <text>&amp;lt;email/&amp;gt; it is</text></message>
  </conversation>
  <conversation id="c2">
    <message line="1"><author>one</author><time>10:00</time><text>alone</text></message>
  </conversation>
  <conversation id="c3"></conversation>
</conversations>
"""


@pytest.fixture
def pan(tmp_path):
    def write(xml=XML, **labels):
        path = tmp_path / "corpus.xml"
        path.write_text(xml, "utf-8")
        files = []
        for name, content in labels.items():
            files.append(tmp_path / f"pan12-{name}.txt")
            files[-1].write_text(content)
        return path, files or None

    return write


def test_text_is_unescaped_until_nothing_changes_and_missing_text_is_empty(pan):
    first, _ = read(*pan())
    assert [line.text for line in first.messages] == [
        "hi & hello <3", "", "mail [email] me", "", "[email] it is",
    ]  # fmt: skip


def test_authors_lose_their_white_space(pan):
    first, _ = read(*pan())
    assert [line.sender for line in first.messages] == ["pred", "kid", "pred", "kid", "kid"]
    assert [one.id for one in first.accounts] == ["pred", "kid"]


def test_times_wrap_at_midnight_and_small_steps_back_do_not(pan):
    first, _ = read(*pan())
    minutes = [(line.t - START).total_seconds() / 60 for line in first.messages]
    day = 24 * 60
    assert minutes == [day - 2, day - 1, day + 1, day + 1, day + 12 * 60 + 30]
    assert minutes == sorted(minutes)


def test_without_label_files_nothing_is_labelled(pan):
    assert [one.label for one in read(*pan())] == [None, None]


def test_predator_files_label_conversations_and_problem_2_gives_the_onset(pan):
    first, second = read(*pan(predators="pred\n\nother\n", problem2="c1\t3\nc1\t5\nc9\t1\n"))
    assert (first.label, first.kind, first.actor, first.onset) == ("risk", "grooming", "pred", 2)
    assert (second.label, second.kind, second.actor, second.onset) == ("safe", "other", None, None)


def test_two_predators_in_one_conversation_may_both_be_named(pan):
    first, _ = read(*pan(predators="kid\npred\n"))
    assert first.actor == "pred"
    assert first.blamed == {"pred", "kid"}


def test_the_diff_file_is_refused(pan):
    with pytest.raises(CorpusError, match="not suspicious"):
        list(read(*pan(diff="c1\t3\n")))


@pytest.mark.parametrize("content", ["a b c\n", "pred\nc1\t2\n", "c1\tprivate\n"])
def test_a_bad_label_line_is_named(pan, content):
    with pytest.raises(CorpusError, match=r"pan12-labels.txt:[12]: ") as caught:
        list(read(*pan(labels=content)))
    assert "private" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("<time>10:00", "<time>private", 15, "HH:MM"),
        ("<time>10:00", "<time>25:00", 15, "HH:MM"),
        ("<author>one</author>", "", 15, "`<author>`"),
        ('<conversation id="c2">', "<conversation>", 14, "`id`"),
        ("alone</text>", "private</txet>", 15, "not well-formed"),
        ("alone", "&private;", 15, "not well-formed"),
        ("<conversations>", "<private>", None, ""),
        ("<conversations>", '<!DOCTYPE a [<!ENTITY private "x">]><conversations>', 2, "DTD"),
        ("alone", "<a>" * 20, 15, "not the PAN-2012"),
    ],
)
def test_a_bad_place_is_named_and_its_text_is_not(pan, old, new, line, said):
    with pytest.raises(CorpusError) as caught:
        list(read(*pan(XML.replace(old, new))))
    assert line is None or caught.value.line == line
    assert said in str(caught.value)
    assert "private" not in str(caught.value)


def test_another_kind_of_xml_is_refused(pan):
    with pytest.raises(CorpusError, match="not the PAN-2012"):
        list(read(*pan("<html><body>private</body></html>")))


def test_conversations_are_given_before_the_file_ends(pan):
    stream = read(*pan(XML.replace("</conversations>", "")))
    assert next(stream).id == "c1"
    with pytest.raises(CorpusError, match="not well-formed"):
        list(stream)
