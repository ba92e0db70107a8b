"""Pure transformations of conversations, for tests and benchmarks of dilution and evasion."""

import random
import unicodedata
from collections.abc import Sequence
from itertools import cycle
from typing import Literal, get_args

from msgspec import structs

from underwing.evaluation.conversation import Conversation, Line

How = Literal["leet", "homoglyph", "zero_width", "spacing", "emoji"]
WAYS: tuple[How, ...] = get_args(How)
"""The ways of evading that `obfuscate` knows."""

_LEET = str.maketrans("aeioAEIO", "43104310")
_LOOK_ALIKES = str.maketrans(
    "acehijopsxyABCEHIKMOPSTXY",
    "асеһіјорѕхуАВСЕНІКМОРЅТХУ",
)
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_EMOJI = "😀😂🔥✨🎈🌸⭐🍕🎮🙈"


def dilute(conversation: Conversation, small_talk: Sequence[str], n: int) -> Conversation:
    """Put `n` small-talk messages between the signals; `onset` and `harm` move along.

    Signals are the onset, the harm and every message with a stage. The new messages are spread evenly
    over the places between the first signal and the last (over the whole conversation where there are
    fewer than two), written by the accounts that write there, in turn, at times between their neighbours'.

    Raises:
        ValueError: no small talk to insert, or a negative `n`.
    """
    if n < 0 or (n and not small_talk):
        raise ValueError("dilute needs some small talk and a number of messages from 0")
    messages = conversation.messages
    marks = {at for at in (conversation.onset, conversation.harm) if at is not None}
    marks |= {at for at, message in enumerate(messages) if message.stage is not None}
    if len(marks) < 2:
        marks = {0, len(messages) - 1}
    places = list(range(min(marks) + 1, max(marks) + 1)) or [len(messages)]
    share, rest = divmod(n, len(places))
    counts = {place: share + (turn < rest) for turn, place in enumerate(places)}
    senders = cycle(dict.fromkeys(message.sender for message in messages))
    texts = cycle(small_talk or [""])
    result: list[Line] = []
    moved: list[int] = []
    for at in range(len(messages) + 1):
        count = counts.get(at, 0)
        before = messages[max(at - 1, 0)].t
        after = messages[min(at, len(messages) - 1)].t
        for step in range(1, count + 1):
            when = before + (after - before) * step / (count + 1)
            result.append(Line(t=when, sender=next(senders), text=next(texts)))
        if at < len(messages):
            moved.append(len(result))
            result.append(messages[at])
    return structs.replace(
        conversation,
        messages=tuple(result),
        onset=None if conversation.onset is None else moved[conversation.onset],
        harm=None if conversation.harm is None else moved[conversation.harm],
    )


def obfuscate(conversation: Conversation, how: How, seed: int = 0) -> Conversation:
    """Rewrite the actor's messages as somebody who evades filters would; the same seed, the same result.

    * `leet`: digits for vowels in most words of three letters or more;
    * `homoglyph`: Cyrillic look-alikes for most Latin letters that have one;
    * `zero_width`: invisible characters inside words;
    * `spacing`: `l e t t e r s   a p a r t`, one space inside words, two between them;
    * `emoji`: emoji between words and inside longer ones.

    Where no actor is labelled (safe conversations), every message is rewritten.

    Raises:
        ValueError: a `how` that is not known.
    """
    if how not in WAYS:
        raise ValueError(f"`how` is one of {', '.join(WAYS)}")
    actors = {conversation.actor, *conversation.co_actors} if conversation.actor is not None else None
    messages = tuple(
        structs.replace(message, text=rewrite(message.text, how, f"{seed}:{conversation.id}:{index}"))
        if actors is None or message.sender in actors
        else message
        for index, message in enumerate(conversation.messages)
    )
    return structs.replace(conversation, messages=messages)


def rewrite(text: str, how: How, seed: str) -> str:
    """Obfuscate one text; see `obfuscate`. Runs of white space become one space (two with `spacing`)."""
    rng = random.Random(seed)  # noqa: S311 (repeatable variety, nothing secret)
    words = text.split()
    if how == "leet":
        return " ".join(
            word.translate(_LEET) if len(word) > 2 and rng.random() < 0.85 else word for word in words
        )
    if how == "homoglyph":
        return " ".join(
            "".join(c.translate(_LOOK_ALIKES) if rng.random() < 0.7 else c for c in word) for word in words
        )
    if how == "zero_width":
        return " ".join(_inside(word, _INVISIBLE, rng) if len(word) > 1 else word for word in words)
    if how == "spacing":
        return "  ".join(" ".join(_letters(word)) for word in words)
    result: list[str] = []
    for word in words:
        result.append(_inside(word, _EMOJI, rng) if len(word) > 3 and rng.random() < 0.4 else word)
        if rng.random() < 0.4:
            result.append(rng.choice(_EMOJI))
    return " ".join(result)


def _inside(word: str, what: str, rng: random.Random) -> str:
    letters = _letters(word)
    if len(letters) < 2:
        return word
    at = rng.randrange(1, len(letters))
    return "".join(letters[:at]) + rng.choice(what) + "".join(letters[at:])


def _letters(word: str) -> list[str]:
    """The word's letters, each with the marks that stand on it."""
    letters: list[str] = []
    for c in unicodedata.normalize("NFC", word):
        joined = letters and (
            unicodedata.category(c).startswith("M") or c in "\u200d\ufe0f" or letters[-1][-1] == "\u200d"
        )
        if joined:
            letters[-1] += c
        else:
            letters.append(c)
    return letters
