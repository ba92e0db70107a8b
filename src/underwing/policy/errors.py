"""The one error of this room."""


class PolicyError(ValueError):
    """A policy that cannot be used; the message names the file, the rule and what to mend."""
