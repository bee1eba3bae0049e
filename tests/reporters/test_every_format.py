from pathlib import Path

import pytest
from builders import (
    HOSTILE,
    SHORT,
    batch,
    check,
    difference,
    differences,
    flip,
    gave,
    in_half,
    in_modes,
    many_prompts,
    model_facts,
    no_padding,
    noise,
    precision,
    probes,
    raised,
    report,
    row,
    rows_of,
    run_result,
    runs,
    samples,
    sweep,
    token_ids,
    tokenizer_facts,
    unmeasured,
    unpadded_difference,
)
from documents import DOCUMENTS, PLACE, everywhere, read_back
from msgspec.structs import replace
from surveys import MIXED

from padcheck.core.errors import UsageError
from padcheck.core.exit_codes import ExitCode
from padcheck.core.facts import PaddingSide, PadTokenSuggestion, SpecialTokenIds
from padcheck.core.json_io import dump
from padcheck.core.report import Command, KnownFinding, Report
from padcheck.core.run_report import AnyDocument
from padcheck.core.run_results import Row, RowDifference, RunResult, Sample
from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.reporters import Format, View, files_by_format, render

WRONG = (unpadded_difference(0.0), difference(0.5))
SIDES: dict[str, PaddingSide | None] = {"single": None, "left": "left", "right": "right"}


def differences_of(*runs: str) -> dict[str, tuple[RowDifference, ...]]:
    """The differences of these runs alone: none."""
    return {name: differences()[name] for name in runs}


def hostile_rows(side: PaddingSide | None, **changes: object) -> tuple[Row, ...]:
    return tuple(
        replace(
            each,
            tokens=(HOSTILE,) * len(each.tokens),
            text=HOSTILE,
            prompt_text=HOSTILE,
            generated_text=HOSTILE,
            new_text=HOSTILE,
        )
        for each in batch(side, **changes)
    )


REPORTS = {
    "healthy": report(),
    "failing": report(
        differences=differences(left=WRONG, right=WRONG), tokenizer=tokenizer_facts(padding_side="right")
    ),
    "non-finite": report(differences=differences(left=(unpadded_difference(None), difference(None)))),
    "not measured": report(**no_padding()),
    "many prompts": report(**many_prompts(6)),
    "left raised": report(runs=runs(left=raised("left")), differences=differences(left=())),
    "right raised": report(runs=runs(right=raised("right")), differences=differences(right=())),
    "single raised": report(runs=runs(single=raised(None)), differences={}),
    "all raised": report(
        runs={"single": raised(None), "left": raised("left"), "right": raised("right")}, differences={}
    ),
    "only a probe ran": report(
        runs=runs(single=raised(None), left=raised("left"), right=raised("right")), differences={}
    ),
    "left raised later": report(
        runs=runs(
            left=RunResult(reference="single", padding_side="left", rows=batch("left")[:1], error="ValueError: later")
        ),
        differences=differences(left=WRONG[:1]),
    ),
    "positions used": report(
        runs={
            name: run_result(
                side,
                rows=tuple(
                    replace(each, positions_used=(2, 3, 4, 9, None)[-len(each.input_ids) :], positions_used_by="table")
                    for each in batch(side)
                ),
            )
            for name, side in SIDES.items()
        },
        differences=differences_of("left", "right"),
    ),
    "no positions": report(
        runs={
            name: run_result(
                side, rows=tuple(replace(each, position_ids=(None,) * len(each.input_ids)) for each in batch(side))
            )
            for name, side in SIDES.items()
        },
        differences=differences_of("left", "right"),
    ),
    "every run": report(
        noise=noise(rounding_errors=0.02, float32_twin="no room", other_attention=0.5),
        sweep=sweep({1: 0.2, 2: 0.5, 4: 0.0, 8: 0.0}, sizes={"chunk_size": 4}),
        **in_half(left=9.0, left_float32=0.5, uncached=0.0, left_uncached=0.0, other_positions=9.0, shifted=9.0),
    ),
    "only in 16 bit": report(precision=precision(*[2.0] * 20), **in_half(left=0.5)),
    "with a place": report(places={"left": PLACE}, **probes(left=0.5)),
    "stand-ins": report(
        screen=sweep({1: 0.0, 16: 0.0}),
        runs=runs(
            single=run_result(None, stand_in="forward()", rows=(row(0), row(1, prompt=SHORT, stand_in="forward()")))
        ),
    ),
    "modes": report(
        **in_modes(
            *("static-cache", "second-turn", "no-cache"),
            static_cache=rows_of("static_cache", 0.5),
            left_second_turn=rows_of("left_second_turn", 0.0, None),
            left_uncached=rows_of("left_uncached", 0.5),
        )
    ),
    "hidden by 16 bit": report(**in_half(left=0.5, left_float32=0.5)),
    "control not seen": report(**probes(broken_mask=0.0)),
    "overridden": report(overridden={"num_beams": 4}, load_warnings=("careful",), sampled=True),
    "nothing known": report(
        model=model_facts(
            revision=None,
            max_position_embeddings=None,
            embedding_rows=None,
            num_parameters=None,
            dtype=None,
            device=None,
            attn_implementation=None,
            weights=None,
        ),
        special_token_ids=SpecialTokenIds(
            tokenizer=token_ids(pad=None, bos=None, eos=None), config=token_ids(), generation_config=token_ids(eos=None)
        ),
        tokenizer=tokenizer_facts(pad_token=None, pad_token_id=None, bos_token=None, eos_token=None, unk_token=None),
    ),
    "inspection": report("inspect-tokenizer"),
    "inspection with findings": report(
        "inspect-tokenizer",
        tokenizer=tokenizer_facts(padding_side="right"),
        generation_config={"max_length": 20},
        model=model_facts(embedding_rows=1),
    ),
    "inspection of a tokenizer that raises": report(
        "inspect-tokenizer", samples=samples(left=Sample(error="TypeError: no"), right=Sample(error="TypeError: no"))
    ),
}
HOSTILE_PLACES = {
    "model id": {"model": model_facts(id=HOSTILE)},
    "architecture": {"model": model_facts(architecture=HOSTILE)},
    "model type": {"model": model_facts(model_type=HOSTILE)},
    "revision": {"model": model_facts(revision=HOSTILE)},
    "attention": {"model": model_facts(attn_implementation=HOSTILE)},
    "tokenizer class": {
        "tokenizer": tokenizer_facts(class_name=HOSTILE),
        "samples": samples(left=Sample(rows=batch("right", new=()))),
    },
    "special tokens": {
        "tokenizer": tokenizer_facts(
            pad_token=HOSTILE,
            bos_token=HOSTILE,
            eos_token=HOSTILE,
            unk_token=HOSTILE,
            pad_token_used=HOSTILE,
            bos_token_id=0,
        )
    },
    "suggested pad token": {
        "tokenizer": tokenizer_facts(
            pad_token=None,
            pad_token_id=None,
            pad_token_suggestion=PadTokenSuggestion(token=HOSTILE, token_id=9, reason="by name"),
        )
    },
    "values of generation_config": {"generation_config": {"suffix": HOSTILE}, "overridden": {"suffix": HOSTILE}},
    "keys of generation_config": {"generation_config": {HOSTILE: 1}, "overridden": {HOSTILE: 1}},
    "prompts": {"prompts": (HOSTILE, f" {HOSTILE} ")},
    "tokens and texts": {"runs": runs(**{n: run_result(side, rows=hostile_rows(side)) for n, side in SIDES.items()})},
    "a place": probes(left=0.5)
    | {"places": {"left": replace(PLACE, module=HOSTILE, class_name=HOSTILE, file=HOSTILE)}},
    "a stand-in": {"runs": runs(single=run_result(None, stand_in=HOSTILE, rows=(row(0), row(1, stand_in=HOSTILE))))},
    "an error of the few pad counts": {"screen": sweep({1: 0.0}, error=HOSTILE)},
    "why float32 is not possible": {
        "runs": runs(
            left_float32=RunResult(reference="single_float32", dtype="float32", padding_side="left", error=HOSTILE),
            single_float32=RunResult(dtype="float32", padding_side=None, error=HOSTILE),
        )
    },
    "tokens that compete": gave(
        left=(
            unpadded_difference(0.0),
            difference(0.5, flip=flip(0, reference_token=HOSTILE, token=HOSTILE)),
        )
    ),
    "settings that name a size": probes(left=0.5)
    | {"sweep": sweep({1: 0.2, 2: 0.5, 4: 0.0, 8: 0.0}, sizes={HOSTILE: 4})},
    "ways to measure rounding": {"noise": noise(**{"rounding_errors": 0.02, HOSTILE: 0.01})},
    "dtype": in_half(HOSTILE, left_float32=0.5),
    "warnings": {"load_warnings": (HOSTILE,), "runs": runs(right=run_result("right", warnings=(HOSTILE,)))},
    "errors": {"runs": runs(right=raised("right", HOSTILE)), "differences": differences(right=())},
    "tokens of a sample": {"samples": samples(right=Sample(rows=hostile_rows("right", new=())))},
    "error of a sample": {"samples": samples(left=Sample(error=HOSTILE))},
}
CHECK = check(
    *REPORTS.values(),
    report(settings=JudgeSettings(known={"PAD201": Severity.ERROR}), differences=differences(left=WRONG)),
    unmeasured("nope"),
    unmeasured("broken", ExitCode.BUG),
    vanished=(KnownFinding(model="some/model", code="PAD106", severity=Severity.WARNING),),
)
RAW = ("\x1b", "\x07", "\r", "\u202e", "\u200b")

every_format = pytest.mark.parametrize("fmt", Format, ids=lambda fmt: fmt.value)
every_report = pytest.mark.parametrize("shown", REPORTS.values(), ids=REPORTS)


@every_format
@every_report
def test_every_format_shows_every_report(fmt: Format, shown: Report) -> None:
    text = render(shown, fmt, View())
    assert shown.evidence.model.id in text
    assert text.endswith("\n") or fmt is Format.SVG


@every_report
def test_every_report_can_be_read_back(shown: Report, tmp_path: Path) -> None:
    assert dump(read_back(shown, tmp_path)) == dump(shown)


@pytest.mark.parametrize("changes", HOSTILE_PLACES.values(), ids=HOSTILE_PLACES)
def test_a_report_with_hostile_texts_can_be_read_back(changes: dict[str, object], tmp_path: Path) -> None:
    shown = report(**changes)
    assert dump(read_back(shown, tmp_path)) == dump(shown)


@pytest.mark.parametrize("document", [*DOCUMENTS.values(), CHECK, everywhere(HOSTILE), MIXED])
def test_every_document_can_be_read_back(document: AnyDocument, tmp_path: Path) -> None:
    assert dump(read_back(document, tmp_path)) == dump(document)


@every_report
@pytest.mark.parametrize("width", [40, 300])
def test_the_table_fits_narrow_and_wide_screens(shown: Report, width: int) -> None:
    assert "SomeForCausalLM" in render(shown, Format.TABLE, View(width=width, color=True, verbose=True))


@every_format
def test_the_same_report_gives_the_same_text(fmt: Format) -> None:
    assert render(REPORTS["failing"], fmt, View(color=True)) == render(REPORTS["failing"], fmt, View(color=True))


@pytest.mark.parametrize("fmt", [Format.TABLE, Format.SVG], ids=lambda fmt: fmt.value)
@pytest.mark.parametrize("variable", [("TERM", "dumb"), ("COLUMNS", "40"), ("FORCE_COLOR", "1")])
def test_the_environment_does_not_change_the_width(
    fmt: Format, variable: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    before = render(REPORTS["failing"], fmt, View(width=120))
    monkeypatch.setenv(*variable)
    assert render(REPORTS["failing"], fmt, View(width=120)) == before


TEXTS = [fmt for fmt in Format if fmt not in (Format.JSON, Format.SARIF, Format.SVG)]
"""The formats that show text as it is; the others have escapes of their format."""


@pytest.mark.parametrize("fmt", TEXTS, ids=lambda fmt: fmt.value)
@pytest.mark.parametrize("command", ["compare", "inspect-tokenizer"])
@pytest.mark.parametrize("changes", HOSTILE_PLACES.values(), ids=HOSTILE_PLACES)
def test_no_control_character_gets_through(fmt: Format, command: Command, changes: dict[str, object]) -> None:
    if command == "inspect-tokenizer":
        of_runs = ("runs", "differences", "left_out", "noise", "sweep")
        changes = {key: value for key, value in changes.items() if key not in of_runs}
    text = render(report(command, **changes), fmt, View(verbose=True))
    assert [character for character in RAW if character in text] == []


@every_format
def test_every_format_shows_a_check(fmt: Format) -> None:
    text = render(CHECK, fmt, View())
    assert "some/model" in text
    assert "nope" in text


@every_format
def test_hostile_models_of_a_check_are_shown_as_text(fmt: Format) -> None:
    found = check(
        report(model=model_facts(id=HOSTILE)), unmeasured(HOSTILE, what=HOSTILE, meaning=HOSTILE, change=HOSTILE)
    )
    text = render(found, fmt, View(verbose=True))
    assert [character for character in RAW if character in text and fmt in TEXTS] == []


def test_reports_are_named_by_format() -> None:
    assert {name: str(path) for name, path in files_by_format(["json=a", "junit=b=c"]).items()} == {
        "json": "a",
        "junit": "b=c",
    }


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["json"], "names no file"),
        (["=a"], "there is no format"),
        (["pdf=a"], "The formats are table, json"),
        (["jsn=a"], "Did you mean json"),
        (["json=a", "json=b"], "is given twice"),
    ],
)
def test_a_wrong_report_option_is_a_usage_error(given: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        files_by_format(given)
