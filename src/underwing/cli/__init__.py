"""Commands, thin: they parse, call the rooms and print. May import everything."""

import sys


def main() -> None:
    """Run the command line. Ctrl-C while it starts ends it with exit code 130, as it does later."""
    try:
        from underwing.cli.app import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
