"""The one error of this room."""

from underwing.model import MendableError


class PolicyError(MendableError, ValueError):
    """A policy that cannot be used; the message names the file, the rule and what to mend."""
