"""A conversation becomes the events that a platform would have sent.

Many conversations are replayed into one engine, so every id carries the conversation's, and no account of
one conversation is an account of another (`prefix=False` keeps the accounts' own ids, for corpora in
which the same account returns on purpose).
"""

from collections.abc import Iterator
from hashlib import blake2b

from msgspec import UNSET

from underwing.evaluation.conversation import Conversation
from underwing.model import Account, Event, Message

MAX_ID = 64
"""The longest id an event may carry; longer ones are replaced by a digest of themselves."""
MAX_TEXT = 20_000
"""The longest text a message event may carry, in characters; a corpus text beyond it is cut."""
MAX_RECIPIENTS = 1_000
"""The most recipients one event may name."""


def to_events(conversation: Conversation, *, prefix: bool = True) -> Iterator[Event]:
    """First one `account` event an account (known facts only), then one `message` event a message.

    Each message goes to all other accounts. In rooms with more than `MAX_RECIPIENTS` others, group and
    live messages name nobody (the room is addressed) and private ones name the first ones.
    """
    names = {one.id: account_id(conversation.id, one.id, prefix=prefix) for one in conversation.accounts}
    for one in conversation.accounts:
        yield Account(
            id=names[one.id],
            declared_age=UNSET if one.declared_age is None else one.declared_age,
            minor=UNSET if one.minor is None else one.minor,
        )
    crowded = len(names) > MAX_RECIPIENTS + 1
    others: dict[str, list[str]] = {}
    for index, message in enumerate(conversation.messages):
        if message.sender not in others:
            to = [name for own, name in names.items() if own != message.sender]
            others[message.sender] = [] if crowded and conversation.channel != "dm" else to[:MAX_RECIPIENTS]
        yield Message(
            id=message_id(conversation.id, index),
            at=message.t,
            surface=conversation.channel,
            conversation=_short(conversation.id),
            sender=names[message.sender],
            to=others[message.sender],
            text=message.text[:MAX_TEXT],
        )


def message_id(conversation: str, index: int) -> str:
    """The id of a conversation's message at `index` (from 0): `conversation/index`."""
    number = f"/{index}"
    return _short(conversation, MAX_ID - len(number)) + number


def account_id(conversation: str, account: str, *, prefix: bool = True) -> str:
    """The id under which the engine meets an account: `conversation:account`, or its own."""
    return _short(f"{conversation}:{account}" if prefix else account)


def _short(name: str, limit: int = MAX_ID) -> str:
    if len(name) <= limit:
        return name
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
