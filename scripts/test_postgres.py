"""How scripts/postgres.sh starts and removes a PostgreSQL, and scripts/test.py with it."""

import os
import signal
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path
from urllib.parse import urlsplit

import test

# Runs test.py's own context and waits in it, as the tests would be waited for.
WAIT = """
import sys, time
sys.path.insert(0, sys.argv[1])
import signal, test
for number in test.INTERRUPTIONS:
    signal.signal(number, lambda number, _: sys.exit(128 + number))
with test.postgres() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


class PostgresTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pg.")
        self.addCleanup(folder.cleanup)
        # The cluster belongs to the user `postgres`, who must get there.
        os.chmod(folder.name, 0o755)
        self.folder = Path(folder.name)
        self.environment = {**os.environ, "TMPDIR": folder.name}
        self.environment.pop(test.POSTGRES_URL, None)
        self.addCleanup(self.postgres, "stop")

    def postgres(self, *arguments):
        command = [test.POSTGRES, *arguments]
        ran = subprocess.run(command, env=self.environment, check=True, stdout=subprocess.PIPE, text=True)
        return ran.stdout.strip()

    def waiting(self):
        command = ["python3", "-c", WAIT, str(test.ROOT / "scripts")]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, env=self.environment, stdin=pipe, stdout=pipe, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process, process.stdout.readline().strip()

    def test_each_is_reached_until_it_is_stopped(self):
        first, second = self.postgres("start"), self.postgres("start")
        self.postgres("stop", first)
        assert not answers(first)
        assert answers(second)
        self.postgres("stop")
        assert not answers(second)
        assert list(self.folder.iterdir()) == []

    def test_an_interrupted_run_leaves_nothing(self):
        for number in test.INTERRUPTIONS:
            process, url = self.waiting()
            assert answers(url)
            process.send_signal(number)
            assert process.wait() == 128 + number
            assert not answers(url)
            assert list(self.folder.iterdir()) == []

    def test_what_a_killed_run_leaves_is_removed_by_the_next(self):
        process, url = self.waiting()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert answers(url)
        self.postgres("start")
        assert not answers(url)
        assert len(list(self.folder.iterdir())) == 1


def answers(url):
    address = urlsplit(url)
    with socket.socket() as client:
        return client.connect_ex((address.hostname, address.port)) == 0
