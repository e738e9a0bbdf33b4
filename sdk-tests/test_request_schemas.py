"""The schemas by which the fake provider checks what it is sent are those of the newest clients' own types."""

import runpy
from pathlib import Path

import openai
import pytest
from processes import ROOT


@pytest.mark.skipif(int(openai.__version__.split(".")[0]) < 3, reason="they are made from the newest clients")
def test_the_schemas_are_made_from_the_newest_clients():
    made = runpy.run_path(str(ROOT / "scripts/request-schemas.py"))
    kept = {path.stem: path.read_text() for path in Path(ROOT / "loadtest/schemas").glob("*.json")}
    assert kept == {name: made["lines"](made["schema"](name, request)) for name, request in made["REQUESTS"].items()}, (
        "make request-schemas"
    )
