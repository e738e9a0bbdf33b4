"""How scripts/run.sh fills in what the environment lacks: run with stand-ins for both binaries, without network."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

RUN = Path(__file__).resolve().parent / "run.sh"
FAKE = "http://127.0.0.1:4711"
VENDORS = {
    "openai": "https://api.openai.com",
    "anthropic": "https://api.anthropic.com",
    "gemini": "https://generativelanguage.googleapis.com",
}
NAMES = [f"{vendor.upper()}_{what}" for vendor in VENDORS for what in ("API_KEY", "BASE_URL")]

# Says where it listens, as the real one does, and notes that it ran and that it was stopped.
FAKE_PROVIDER = f"""#!/bin/sh
echo started "$@" >>"$NOTES/fake"
trap 'echo stopped >>"$NOTES/fake"; exit 0' TERM
echo "listening on {FAKE}"
while [ -d "$NOTES" ]; do sleep 0.05; done
"""

# Notes its arguments and its environment, and ends as it is told to.
TOLLGATE = """#!/usr/bin/env python3
import json, os, sys
with open(os.environ["NOTES"] + "/tollgate", "w") as notes:
    json.dump({"arguments": sys.argv[1:], "environment": dict(os.environ)}, notes)
sys.exit(int(os.environ.get("ENDS_WITH", "0")))
"""


class RunTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        binaries = self.folder / "debug"
        binaries.mkdir()
        for name, text in (("fake-provider", FAKE_PROVIDER), ("tollgate", TOLLGATE)):
            (binaries / name).write_text(text)
            (binaries / name).chmod(0o755)

    def run_with(self, expected_status=0, **variables):
        """Runs the script with nothing but these variables set; gives what the gateway was started with."""
        kept = {"PATH": os.environ["PATH"], "CARGO_TARGET_DIR": str(self.folder), "NOTES": str(self.folder)}
        self.process = subprocess.run(
            [RUN], env=kept | variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
        assert self.process.returncode == expected_status, self.process.stderr
        noted = json.loads((self.folder / "tollgate").read_text())
        self.environment = {name: noted["environment"].get(name) for name in NAMES}
        return noted["arguments"]

    def fake_notes(self):
        notes = self.folder / "fake"
        return notes.read_text().splitlines() if notes.exists() else []

    def assert_vendor(self, vendor, key, url):
        name = vendor.upper()
        told = (self.environment[f"{name}_API_KEY"], self.environment[f"{name}_BASE_URL"])
        assert told == (key, url)

    def test_without_any_key_every_vendor_is_played(self):
        self.run_with()
        for vendor in VENDORS:
            self.assert_vendor(vendor, f"sk-fake-{vendor}", FAKE)
            assert f"{vendor}: {vendor.upper()}_API_KEY is not set; fake provider at {FAKE}" in self.process.stderr

    def test_a_set_key_keeps_the_vendors_own_address(self):
        for real in VENDORS:
            with self.subTest(real):
                self.run_with(**{f"{real.upper()}_API_KEY": "sk-real"})
                for vendor in VENDORS:
                    if vendor == real:
                        self.assert_vendor(vendor, "sk-real", VENDORS[vendor])
                    else:
                        self.assert_vendor(vendor, f"sk-fake-{vendor}", FAKE)
                assert "sk-real" not in self.process.stderr + self.process.stdout

    def test_an_empty_key_is_none(self):
        self.run_with(OPENAI_API_KEY="", OPENAI_BASE_URL="")
        self.assert_vendor("openai", "sk-fake-openai", FAKE)

    def test_a_set_address_is_kept_with_a_key_and_without(self):
        self.run_with(
            OPENAI_API_KEY="sk-real",
            OPENAI_BASE_URL="http://one",
            ANTHROPIC_BASE_URL="http://two",
            GEMINI_API_KEY="real",
        )
        self.assert_vendor("openai", "sk-real", "http://one")
        self.assert_vendor("anthropic", "sk-fake-anthropic", "http://two")
        self.assert_vendor("gemini", "real", VENDORS["gemini"])
        assert self.fake_notes() == [], "nobody has to be played"

    def test_the_fake_provider_runs_once_and_ends_with_the_gateway(self):
        self.run_with()
        assert self.fake_notes() == ["started --listen 127.0.0.1:0", "stopped"]

    def test_the_gateway_is_started_as_it_is_asked_for(self):
        arguments = self.run_with()
        assert arguments == [
            "serve",
            "--config",
            "conf/quickstart.json",
            "--data",
            "./data",
            "--listen",
            "127.0.0.1:8080",
        ]
        arguments = self.run_with(CONFIG="other.json", DATA="/tmp/d", LISTEN="127.0.0.1:1")
        assert arguments == ["serve", "--config", "other.json", "--data", "/tmp/d", "--listen", "127.0.0.1:1"]

    def test_the_gateways_exit_code_is_passed_on(self):
        self.run_with(expected_status=2, ENDS_WITH="2")

    def test_the_quickstart_configuration_reads_what_is_filled_in(self):
        self.run_with()
        text = (RUN.parent.parent / "conf/quickstart.json").read_text()
        for name in NAMES:
            assert f'"env.{name}"' in text


if __name__ == "__main__":
    unittest.main()
