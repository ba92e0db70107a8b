"""`python -m underwing.server --port 8610 ...`: the service alone, every setting as a flag."""

import argparse
import sys

from msgspec import structs

from underwing.server.run import serve
from underwing.server.settings import PREFIX, Settings, SettingsError


def main(arguments: list[str] | None = None) -> int:
    """Read flags and environment, then serve; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m underwing.server", description="Serve Underwing.")
    for field in structs.fields(Settings):
        flag = "--" + field.name.replace("_", "-")
        parser.add_argument(flag, dest=field.name, help=f"{PREFIX}{field.name.upper()}, see docs/settings.md")
    given = vars(parser.parse_args(arguments))
    try:
        settings = Settings.read(**given)
    except SettingsError as error:
        parser.error(str(error))
    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
