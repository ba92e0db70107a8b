"""`make bench`: every benchmark in turn, each printing its method and its figures."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run all; the exit code says whether each ran."""
    worst = 0
    for path in sorted(HERE.glob("*.py")):
        if path.name == "run.py":
            continue
        print(f"\n=== {path.name}\n", flush=True)
        worst |= subprocess.run([sys.executable, path], check=False).returncode
    return worst


if __name__ == "__main__":
    sys.exit(main())
