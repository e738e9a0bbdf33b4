#!/usr/bin/env python3
"""Runs the tests and ends with one line: how many passed and how many failed, over all suites.

test.py [scripts] [rust] [sdk] [api]        without arguments: all

The Rust tests use the PostgreSQL that TOLLGATE_TEST_POSTGRES names: postgres://USER:PASSWORD@HOST:PORT/DATABASE.
Without it they get one of their own, which is removed at the end.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CARGO = os.environ.get("CARGO", "cargo")
POSTGRES = ROOT / "scripts/postgres.sh"
POSTGRES_URL = "TOLLGATE_TEST_POSTGRES"
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SDK_ENVIRONMENTS = ("sdk-newest", "sdk-previous")
# `test result: ok. 12 passed; 0 failed; 1 ignored; …`, once for each test binary.
CARGO_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed;")


@dataclass
class Count:
    """Tests of one suite. A suite that broke off counts as one failure more."""

    suite: str
    passed: int = 0
    failed: int = 0


def main(arguments):
    suites = {"scripts", "rust", "sdk", "api"}
    wanted = set(arguments) or suites
    unknown = wanted - suites
    if unknown:
        sys.exit(f"unknown suite: {', '.join(sorted(unknown))}")
    for number in INTERRUPTIONS:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    counts = []
    if "scripts" in wanted:
        counts.append(scripts())
    if wanted == {"scripts"}:
        return tell(counts)
    # One build of everything first, so that the clients' gateway is the one that the Rust tests saw.
    is_built = run([CARGO, "build", "--locked", "--workspace", "--bins", "--tests"]) == 0
    if not is_built:
        counts.append(Count("build", failed=1))
    if is_built and "rust" in wanted:
        counts.append(rust_with_postgres())
    if is_built and "sdk" in wanted:
        counts.extend(in_python(name, "sdk-tests") for name in SDK_ENVIRONMENTS)
    if is_built and "api" in wanted:
        counts.append(in_python("api", "api-tests"))
    return tell(counts)


def scripts():
    """Tests of the scripts themselves; they need nothing that is built."""
    sys.stdout.flush()
    found = unittest.defaultTestLoader.discover(str(ROOT / "scripts"), pattern="test_*.py")
    result = unittest.TextTestRunner(stream=sys.stdout).run(found)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    # A failed part of a test is counted for itself, so more can fail than were run.
    passed = max(result.testsRun - failed - len(result.skipped), 0)
    return Count("scripts", passed=passed, failed=failed)


def rust_with_postgres():
    try:
        with postgres() as url:
            return rust({**os.environ, POSTGRES_URL: url})
    except subprocess.CalledProcessError:
        print("PostgreSQL cannot be started", flush=True)
        return Count("rust", failed=1)


@contextlib.contextmanager
def postgres():
    """The URL of a PostgreSQL. One that is started for this is removed whatever happens."""
    if given := os.environ.get(POSTGRES_URL):
        yield given
        return
    # What is left of a run that was killed is removed by the next start.
    started = subprocess.run([POSTGRES, "start", str(os.getpid())], stdout=subprocess.PIPE, text=True, check=True)
    url = started.stdout.strip()
    try:
        yield url
    finally:
        handlers = {number: signal.signal(number, signal.SIG_IGN) for number in INTERRUPTIONS}
        subprocess.run([POSTGRES, "stop", url], check=True)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def rust(environment):
    count = Count("rust")
    command = [CARGO, "test", "--locked", "--workspace", "--no-fail-fast"]
    pipe = {"stdout": subprocess.PIPE, "text": True, "errors": "replace"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipe) as process:
        try:
            for line in process.stdout:
                sys.stdout.write(line)
                result = CARGO_RESULT.match(line)
                if result:
                    count.passed += int(result[1])
                    count.failed += int(result[2])
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0 and count.failed == 0:
        count.failed = 1
    return count


def in_python(name, folder):
    """The tests of a folder, run by pytest in the environment of that name."""
    count = Count(name)
    if run([ROOT / "scripts/python-env.sh", name]) != 0:
        count.failed = 1
        return count
    with tempfile.TemporaryDirectory() as reports:
        report = Path(reports) / "report.xml"
        pytest = [ROOT / ".venv" / name / "bin/python", "-m", "pytest", "--quiet", f"--junit-xml={report}"]
        status = run([*pytest, f"--rootdir={ROOT / folder}", ROOT / folder])
        if report.exists():
            for suite in ElementTree.parse(report).iter("testsuite"):
                number = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
                failed = number["failures"] + number["errors"]
                count.failed += failed
                count.passed += number["tests"] - failed - number["skipped"]
    if status != 0 and count.failed == 0:
        count.failed = 1
    return count


def run(command):
    sys.stdout.flush()
    return subprocess.run([str(part) for part in command], cwd=ROOT, stdin=subprocess.DEVNULL).returncode


def tell(counts):
    passed, failed = (sum(getattr(count, what) for count in counts) for what in ("passed", "failed"))
    print()
    for count in counts:
        print(f"{count.suite}: {count.passed} passed, {count.failed} failed", flush=True)
    print(f"\n{passed} passed, {failed} failed", flush=True)
    # Nothing passed and nothing failed: nothing was tested.
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
