"""Runs suites, each in a process of its own, then writes docs/benchmarks.md: python -m bench native python server.

Exit 1 when a budget of any of them is broken.
"""

from __future__ import annotations

import subprocess
import sys

from bench import report
from bench.budgets import ROOT


def main(suites: list[str]) -> int:
    """Every suite runs, whatever the others say."""
    if not suites or not set(suites) <= set(report.SUITES):
        print(f"usage: python -m bench {' | '.join(report.SUITES)} …", file=sys.stderr)
        return 2
    commands = [[sys.executable, "-m", f"bench.{suite}"] for suite in suites]
    codes = [subprocess.run(command, cwd=ROOT, check=False).returncode for command in commands]
    return max(*codes, report.main())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
