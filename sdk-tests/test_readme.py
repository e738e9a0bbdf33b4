"""The README's tour, word for word and in its order: each command, then what it prints."""

import itertools
import re
import subprocess
import sys

import pytest
from conftest import VENDOR_KEYS
from processes import BINARIES, ROOT, Fake, Gateway

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ADDRESS = "http://127.0.0.1:8080"


def tour():
    """Commands with what the README says they print: each block of a program that another block follows at once."""
    blocks = list(BLOCK.finditer((ROOT / "README.md").read_text()))
    commands = [
        (block[1], block[2], printed[2])
        for block, printed in itertools.pairwise(blocks)
        if block[1] in ("python", "sh") and printed.start() - block.end() <= 2
    ]
    assert len(commands) >= 8
    return commands


def comparable(text):
    """What is the same at every run."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"_fake\d+|-fake\d+", "_fake", text)
    return re.sub(r"^Date: .*$", "Date", text.replace("\r", "").strip(), flags=re.MULTILINE)


@pytest.fixture
def toured_gateway(tmp_path):
    """A gateway as `make run` starts it without a vendor's key."""
    fake = Fake()
    keys = {f"{vendor.upper()}_API_KEY": key for vendor, key in VENDOR_KEYS.items()}
    urls = {f"{vendor.upper()}_BASE_URL": fake.url for vendor in VENDOR_KEYS}
    process = Gateway(ROOT / "conf/quickstart.json", tmp_path, env=keys | urls)
    yield process
    process.stop()
    fake.stop()


@pytest.mark.needs_gateway
def test_every_command_prints_what_the_readme_says(toured_gateway):
    for kind, text, expected in tour():
        command = text.replace(ADDRESS, toured_gateway.url).replace("target/debug", str(BINARIES))
        program = [sys.executable, "-c", command] if kind == "python" else ["bash", "-c", command]
        done = subprocess.run(
            program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
        )
        assert comparable(done.stdout) == comparable(expected), text
