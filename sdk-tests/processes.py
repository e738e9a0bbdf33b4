"""The fake provider and the gateway as real processes on free ports of the loopback interface."""

import contextlib
import json
import os
import secrets
import subprocess
import threading
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
BINARIES = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug"
START_SECONDS = 30
STOP_SECONDS = 15


class Process:
    """A child process whose output is read line by line, so that it never blocks on a full pipe."""

    def __init__(self, *command, env=None):
        self._lines = {"stdout": [], "stderr": []}
        self._arrived = threading.Condition()
        self._child = subprocess.Popen(
            [str(part) for part in command],
            env=os.environ | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        for name in self._lines:
            threading.Thread(target=self._read, args=(name,), daemon=True).start()

    def _read(self, name):
        for line in getattr(self._child, name):
            with self._arrived:
                self._lines[name].append(line.rstrip("\n"))
                self._arrived.notify_all()
        with self._arrived:
            self._arrived.notify_all()

    def lines(self, name):
        """What has come so far on `stdout` or `stderr`."""
        with self._arrived:
            return list(self._lines[name])

    def wait_for(self, name, found, seconds=START_SECONDS):
        """The first thing other than `None` that `found` makes of a line."""
        deadline = time.monotonic() + seconds
        seen = 0
        with self._arrived:
            while True:
                lines = self._lines[name]
                for line in lines[seen:]:
                    result = found(line)
                    if result is not None:
                        return result
                seen = len(lines)
                left = deadline - time.monotonic()
                if left <= 0 or self._child.poll() is not None:
                    told = "\n".join(self._lines["stderr"][-20:])
                    raise AssertionError(f"{self._child.args[0]} did not say what was waited for on {name}:\n{told}")
                self._arrived.wait(min(left, 0.1))

    def stop(self):
        """SIGTERM, and the exit status."""
        self._child.terminate()
        try:
            return self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            raise AssertionError(f"{self._child.args[0]} did not stop when asked to") from None


class Fake(Process):
    """The fake provider, which keeps books of what it was asked."""

    MARK = "x-sdk-tests"

    def __init__(self):
        # A port that was somebody else's a moment ago may get somebody else's requests; ours carry this mark.
        self.mark = secrets.token_hex(8)
        super().__init__(BINARIES / "fake-provider", "--listen", "127.0.0.1:0")
        start = "listening on "
        self.url = self.wait_for("stdout", lambda line: line.removeprefix(start) if line.startswith(start) else None)

    def books(self):
        """Every marked request since the last `clear`, oldest first."""
        entries = httpx.get(f"{self.url}/_fake/books").raise_for_status().json()["entries"]
        return [entry for entry in entries if [self.MARK, self.mark] in entry["headers"]]

    def last(self):
        """The last request."""
        return self.books()[-1]

    def clear(self):
        """Begins new books."""
        httpx.delete(f"{self.url}/_fake/books").raise_for_status()


class Gateway(Process):
    """A gateway with a configuration, of its own or in a file, and a data folder of its own."""

    def __init__(self, config, folder, env=None):
        file = config
        if isinstance(config, dict):
            file = Path(folder) / "config.json"
            file.write_text(json.dumps(config))
        data = Path(folder) / "data"
        arguments = ("serve", "--config", file, "--data", data, "--listen", "127.0.0.1:0")
        super().__init__(BINARIES / "tollgate", *arguments, env=env)
        self.url = "http://" + self.wait_for("stderr", _listening_address)

    def access(self, request_id):
        """The access log's line of a request."""

        def found(line):
            record = json.loads(line)
            return record if record.get("request.id") == request_id else None

        return self.wait_for("stdout", found)


def _listening_address(line):
    with contextlib.suppress(ValueError):
        fields = json.loads(line).get("fields", {})
        if fields.get("message") == "listening":
            return fields["address"]
    return None
