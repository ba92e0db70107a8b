"""What can go wrong with an identity provider."""


class OidcError(RuntimeError):
    """A sign-in through the provider that cannot go on, or a file that cannot be used; quotes no token and no secret."""
