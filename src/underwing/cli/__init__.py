"""Commands, thin: they parse, call the rooms and print. May import everything."""


def main() -> None:
    """Run the command line."""
    from underwing.cli.app import app

    app()
