"""What can go wrong between us and a source. No message holds a credential or a whole answer."""

from underwing.model import MendableError


class ExchangeError(MendableError):
    """A fetch or a feedback that did not work; says why. What was applied before stays applied."""

    retry_after: float | None = None
    """Seconds after which the source asked us to come back, where it said so."""


class CredentialsMissing(ExchangeError):
    """The credentials of a source were given neither in the environment nor in the file."""


class CredentialsRefused(ExchangeError):
    """The source answered 401 or 403."""


class RequestRefused(ExchangeError):
    """The source answered with another 4xx, or sent us elsewhere (3xx): the request itself is at fault."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotAnswered(ExchangeError):
    """No whole answer after all tries: no connection, too slow, cut off, 429 or 5xx."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class VoteNotSaid(ExchangeError):
    """Feedback that cannot be put into the source's words: a reason it does not know, an entry it takes no vote on."""


class BadAnswer(ExchangeError):
    """An answer that is too large or not of the documented shape."""


class ClockSkew(ExchangeError):
    """Our checkpoint lies in the source's future: a clock was wrong when it was made, or is now."""


class BadCheckpoint(ExchangeError):
    """A stored checkpoint that is not this source's; to fetch anew from the beginning it must be removed."""
