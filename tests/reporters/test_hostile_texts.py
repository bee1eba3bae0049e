"""Every text that a file can hold, in every format: nothing that acts on a terminal or on another line comes out."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from builders import (
    check,
    difference,
    differences,
    flip,
    gave,
    probes,
    raised,
    report,
    run_result,
    runs,
    samples,
    unmeasured,
    unpadded_difference,
)
from documents import EVERYTHING, VANISHED, a_run, a_survey
from msgspec.structs import replace

from padcheck.core.errors import UsageError
from padcheck.core.exit_codes import ExitCode
from padcheck.core.json_io import dump, load
from padcheck.core.report import ConfigurationFile
from padcheck.core.run_report import AnyDocument
from padcheck.core.run_results import Sample
from padcheck.reporters import Format, View, render
from padcheck.running.judge_again import judge_again

TEXT = "a|b `c` ```\n::error::d\n<b>]]>&\"'\x1b[31m\x07\r\t\x7f\x9b2J\u2028\u202e\u200b\ufeff\x00 ´"

OTHERS = (
    report(
        runs=runs(
            single=run_result(None, stand_in="forward()"),
            right=raised("right"),
            left=run_result("left", warnings=("a",)),
        ),
        differences=differences(left=(unpadded_difference(0.0), difference(0.5, flip=flip(0))), right=()),
    ),
    report(**probes(left_no_mask=0.0, left_forward_no_mask=0.0)),
    report(**gave(left=(unpadded_difference(None), difference(None)))),
)
DOCUMENTS = {
    "compare": EVERYTHING,
    "inspect-tokenizer": report("inspect-tokenizer", samples=samples(left=Sample(error="no"))),
    "check": replace(
        check(*OTHERS, replace(unmeasured("a", ExitCode.BUG), traceback="Traceback"), vanished=VANISHED),
        configuration=ConfigurationFile(path="padcheck.toml", lines={"some/model": 3, "a": 4}),
    ),
    "survey": a_survey(known_limit="blocks", library_behaviour={"pads_get_position": "1"}),
    "run": a_run(),
}
SOME_TEXTS = {
    "compare": {
        "environment.platform",
        "tokenizer.padding_side_source",
        "tokenizer.truncation_side_source",
        "left_out.*",
        "seconds.KEY",
        "generation_config.nested.*.a",
        "arms.KEY",
        "arms.left.rows.*.tokens.*",
        "places.left.module",
    },
    "inspect-tokenizer": {"sample_errors.left", "samples.right.*.text"},
    "check": {
        "reports.*.environment.torch",
        "reports.*.model.id",
        "reports.*.error.what",
        "reports.*.traceback",
        "vanished.*.model",
        "configuration.path",
        "configuration.lines.KEY",
    },
    "survey": {
        "environment.torch",
        "architectures.*.model_type",
        "architectures.*.reason",
        "architectures.*.details.*.message",
        "architectures.*.library_behaviour.KEY",
        "settings.KEY",
    },
    "run": {
        "script",
        "argv.*",
        "findings.*.file",
        "findings.*.source",
        "findings.*.message",
        "findings.*.fix",
        "findings.*.evidence.KEY",
        "suppressed.*.file",
        "suppressed.*.reason",
        "notes.*",
    },
}
"""Some of the texts that each kind of document has."""

_Place = tuple[str | int, ...]


def texts(value: Any, place: _Place = ()) -> Iterator[_Place]:
    """The place of every text in plain JSON."""
    if isinstance(value, str):
        yield place
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from texts(each, (*place, key))


def objects(value: Any, place: _Place = ()) -> Iterator[_Place]:
    """The place of every object in plain JSON."""
    if isinstance(value, dict):
        yield place
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from objects(each, (*place, key))


def at(document: Any, place: _Place) -> Any:
    for key in place:
        document = document[key]
    return document


def alike(places: Iterator[_Place]) -> dict[_Place, list[_Place]]:
    """The places that differ only in the numbers of entries."""
    groups: dict[_Place, list[_Place]] = {}
    for place in places:
        groups.setdefault(tuple("*" if isinstance(key, int) else key for key in place), []).append(place)
    return groups


def made_hostile(document: AnyDocument, file: Path) -> tuple[AnyDocument, set[str]]:
    """The document with TEXT as every text and as a key of every object that a file may hold; and where that is."""
    written, hostile = json.loads(dump(document)), set()

    def is_read() -> bool:
        file.write_text(json.dumps(written))
        try:
            load(file)
        except UsageError:
            return False
        return True

    for kind, places in alike(texts(written)).items():
        before = [at(written, place) for place in places]
        for *above, last in places:
            at(written, above)[last] = TEXT
        if is_read():
            hostile.add(".".join(map(str, kind)))
        else:
            for (*above, last), text in zip(places, before, strict=True):
                at(written, above)[last] = text
    for kind, places in alike(objects(written)).items():
        found = at(written, places[0])
        if found:
            found[TEXT] = next(iter(found.values()))
            if is_read():
                hostile.add(".".join(map(str, (*kind, "KEY"))))
            else:
                del found[TEXT]
    assert is_read()
    return judge_again(load(file), {}), hostile


@pytest.fixture(scope="module", params=DOCUMENTS)
def hostile(request, tmp_path_factory):
    return made_hostile(DOCUMENTS[request.param], tmp_path_factory.mktemp("hostile") / "document.json")


def hidden(text: str) -> list[str]:
    return [character for character in text if not character.isprintable() and character != "\n"]


@pytest.mark.parametrize("fmt", Format, ids=lambda fmt: fmt.value)
def test_a_format_shows_no_raw_text(fmt: Format, hostile: tuple[AnyDocument, set[str]]) -> None:
    document, _ = hostile
    for view in (View(verbose=True), View(width=40)):
        text = render(document, fmt, view)
        assert hidden(text) == []
        if fmt in (Format.JSON, Format.SARIF):
            json.loads(text)
        if fmt in (Format.SVG, Format.JUNIT):
            ET.fromstring(text)
        if fmt is Format.GITHUB:
            assert [
                line for line in text.splitlines() if not re.match(r"::(error|warning|notice) |padcheck: ", line)
            ] == []


def test_every_text_was_hostile(hostile: tuple[AnyDocument, set[str]]) -> None:
    document, found = hostile
    assert SOME_TEXTS[document.command] <= found
