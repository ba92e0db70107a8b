"""Signing in through an identity provider: OpenID Connect, authorization code with PKCE.

`config` is the operator's file and the mapping of claims to roles (pure), `provider` talks to the provider and proves its
tokens, `flow` is one sign-in from the redirect to the identity. May import: casebook.
"""

from underwing.server.oidc.config import OidcConfig, identity, load_oidc
from underwing.server.oidc.errors import OidcError
from underwing.server.oidc.flow import Flow
from underwing.server.oidc.provider import Provider

__all__ = ["Flow", "OidcConfig", "OidcError", "Provider", "identity", "load_oidc"]
