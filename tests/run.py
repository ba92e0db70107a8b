"""`make test`: the whole suite, and at the end what was skipped and why. With CI=true a skip is a failure."""

import os
import sys

import pytest


class Skips:
    """Collects what was skipped, with its reason."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.found.append((report.nodeid, reason))


def main() -> int:
    skips = Skips()
    code = pytest.main(sys.argv[1:] or ["-q"], plugins=[skips])
    if skips.found:
        print("\nskipped on this machine:")
        for name, reason in skips.found:
            print(f"  {name}: {reason}")
        if os.environ.get("CI") == "true" and code == 0:
            print("CI: nothing may be skipped here")
            return 1
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
