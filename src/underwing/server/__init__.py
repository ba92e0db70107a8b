"""The HTTP service: events in, decisions out, explanations and one live page for reviewers.

A small ASGI application of our own (a dozen routes; the hot one without a framework), one thread that alone
talks to the engine (`ingest`), and around them keys, limits, metrics, logs and the page. No message text is
ever stored, logged or shown here. May import: everything but evaluation and cli.
"""

from underwing.server.app import App, create_app
from underwing.server.keys import ROLES, BadKey, Key, Keys
from underwing.server.run import Service, serve
from underwing.server.settings import Settings, SettingsError

__all__ = [
    "ROLES",
    "App",
    "BadKey",
    "Key",
    "Keys",
    "Service",
    "Settings",
    "SettingsError",
    "create_app",
    "serve",
]
