#!/usr/bin/env python3
"""Fails when a document names a file, a heading or a make target that is not there."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
# A path in code style: `gateway/src/proxy.rs`, `docs/decisions/0002-held-session.md`, `sdk-tests`.
PATH = re.compile(r"`([a-z][\w.-]*(?:/[\w.-]+)+)`")
TARGET = re.compile(r"`make ([a-z-]+)`")
TOP = {path.name for path in ROOT.iterdir()}


def main():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True)
    documents = [ROOT / name for name in listed.stdout.decode().split()]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    problems = [problem for document in documents for problem in check(document, targets)]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"documents: {len(documents)} checked, {len(problems)} problems")
    return 1 if problems or not documents else 0


def check(document, targets):
    text = without_blocks(document.read_text())
    name = document.relative_to(ROOT)
    for link in LINK.findall(text):
        if "://" not in link and not link.startswith("mailto:"):
            yield from check_link(document, name, link)
    for path in PATH.findall(text):
        if path.split("/")[0] in TOP and not (ROOT / path).exists():
            yield f"{name}: `{path}` does not exist"
    for target in TARGET.findall(text):
        if target not in targets:
            yield f"{name}: there is no `make {target}`"


def check_link(document, name, link):
    path, _, anchor = link.partition("#")
    file = (document.parent / path).resolve() if path else document
    if not file.exists():
        yield f"{name}: {link} does not exist"
    elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
        yield f"{name}: {link} has no such heading"


def anchors(text):
    headings = re.findall(r"^#+ +(.+)$", without_blocks(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def without_blocks(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


if __name__ == "__main__":
    sys.exit(main())
