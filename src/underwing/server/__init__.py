"""The HTTP service: events in, decisions out, explanations and one live page for reviewers.

A small ASGI application of our own (a dozen routes; the hot one without a framework), one thread that alone
talks to the engine (`ingest`), and around them keys, limits, metrics, logs and the page. No message text is
ever stored, logged or shown here. May import: everything but evaluation and cli.

Each name is imported when it is asked for: whoever only makes a key does not load the service.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from underwing.server.app import App, create_app
    from underwing.server.keys import ROLES, BadKey, Key, Keys
    from underwing.server.run import Service, serve
    from underwing.server.settings import Settings, SettingsError
else:

    def __getattr__(name: str) -> object:
        """What `_FROM` says of the name."""
        for module, names in _FROM.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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
_FROM = {
    "app": ("App", "create_app"),
    "keys": ("ROLES", "BadKey", "Key", "Keys"),
    "run": ("Service", "serve"),
    "settings": ("Settings", "SettingsError"),
}
