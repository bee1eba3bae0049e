"""The compatibility table is complete, explains every disagreement with upstream, and its scripts show the faults."""

import re
import runpy
import sys

import at_a_glance
import compatibility
import pytest
import torch
import transformers
from readme import README
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from padcheck.core.variant_name import split_variant_name
from padcheck.judging.known_limits import KNOWN_LIMITS

PAGE = compatibility.PAGE.read_text(encoding="utf-8")
VERSION = re.search(r"transformers ([\d.]+),", PAGE)[1]
SCRIPTS = sorted(compatibility.FAULTS.glob("*.py"))

of_that_version = pytest.mark.skipif(
    transformers.__version__ != VERSION, reason=f"the table is for transformers {VERSION}"
)


def block(text, name):
    return re.search(rf"<!-- {name} -->\n\n(.*?)\n\n<!-- /{name} -->", text, re.DOTALL)[1]


def names(name):
    return [line.split("|")[1].strip() for line in block(PAGE, name).splitlines()[2:]]


def model_types(name):
    return [each for each in names(name) if split_variant_name(each) == (each, None)]


@of_that_version
def test_every_causal_model_type_is_in_it_once():
    listed = [*model_types("causal"), *model_types("causal, not judged")]
    assert sorted(listed) == sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    assert len(model_types("causal")) >= compatibility.NEEDED


def test_upstream_is_known_for_each():
    listed = [*model_types("causal"), *model_types("causal, not judged")]
    assert sorted(compatibility.upstream()) == sorted(listed)


def test_upstreams_documented_skips_are_known_limits():
    skipped = {name for name, said in compatibility.upstream().items() if said["status"] == "skipped"}
    assert skipped <= KNOWN_LIMITS.keys()


def test_the_readme_has_the_same_sums():
    assert block(PAGE, "sums") in block(README.read_text(encoding="utf-8"), "survey")


def test_notes_name_architectures_of_the_table_and_existing_scripts():
    notes = compatibility.notes()
    assert set(notes) <= {*names("causal"), *names("multimodal")}
    assert {note.script for note in notes.values()} - {None} == {script.name for script in SCRIPTS}


@of_that_version
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_shows_a_fault_of_transformers_and_a_right_result(script, capsys, monkeypatch):
    source = script.read_text(encoding="utf-8")
    assert "padcheck" not in source
    monkeypatch.setattr(sys, "path", [str(script.parent), *sys.path])  # as in `python script.py`
    with torch.random.fork_rng():
        runpy.run_path(str(script), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    found = {"right": [], "wrong": []}
    for line in lines:
        kind, number = re.fullmatch(r"(right|wrong): .+ (\S+)", line).groups()
        found[kind].append(float(number))
    assert max(found["right"]) <= 2e-5
    assert min(found["wrong"]) >= 2e-4
    shown = block(PAGE, "faults")
    assert f"[{script.name}]" in shown


HEADINGS = {
    "pad left to generate?": ("generate left", {"yes": True, "**no**": False}),
    "pad right to score?": ("score right", {"yes": True, "**no**": False}),
    "padded left, forward() needs position_ids?": ("forward left", {"no": True, "**yes**": False}),
}
"""For a column of the first table: the column of the whole table, and whether an answer means ok there."""


def table_rows(name):
    """The rows of a table, each as a dict from heading to cell."""
    head, _, *lines = ([cell.strip() for cell in line.split("|")[1:-1]] for line in block(PAGE, name).splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_the_first_table_agrees_with_the_whole_table():
    whole = {row["model type"]: row for row in table_rows("causal")}
    found = table_rows("names")
    assert [row["model"] for row in found] == list(at_a_glance.names())
    for row in found:
        model_types = [each.removesuffix(" *") for each in row["model type"].split(", ")]
        assert model_types == [each for each in at_a_glance.names()[row["model"]] if each in whole]
        for heading, (other, means) in HEADINGS.items():
            if row[heading] in means:
                assert {whole[each][other] == "ok" for each in model_types} == {means[row[heading]]}, row
            else:  # a mix, or nothing helps
                lines = [whole[name] for name in whole if name.partition("+")[0] in model_types]
                assert any(line[other] != "ok" for line in lines), row
    stars = {each for row in found for each in row["model type"].split(", ") if each.endswith(" *")}
    assert {each.removesuffix(" *") for each in stars} <= compatibility.notes().keys() | KNOWN_LIMITS.keys()


def glance(monkeypatch, judged, **names):
    monkeypatch.setattr(at_a_glance, "names", lambda: names)
    return at_a_glance.at_a_glance(judged, compatibility.is_ok, {"odd"}).splitlines()[2:]


def measured(model_type, **verdicts):
    runs = ("left_generate", "right_score", "left_forward_no_position_ids", "left_forward_position_ids", "packed")
    verdicts = dict.fromkeys(runs, "equivalent") | {"left_no_mask": "different"} | verdicts
    return {"model_type": model_type, "verdicts": verdicts, "allowed": 1e-4, "known_limit": None}


def test_a_name_has_an_answer_for_each_column(monkeypatch):
    assert glance(monkeypatch, [measured("llama")], Llama=["llama"]) == [
        "| Llama | llama | yes | yes | no | yes | yes |"
    ]
    odd = measured(
        "odd",
        left_generate="different",
        right_score="non_finite",
        left_forward_no_position_ids="different",
        left_no_mask="identical",
        packed="not_run",
    )
    assert glance(monkeypatch, [odd], Odd=["odd"]) == [
        "| Odd | odd * | **no** | **no** | **yes** | no, it changes nothing | not measured |"
    ]


def test_a_known_limit_gets_a_star_without_a_note(monkeypatch):
    limited = measured("limited") | {"known_limit": "equal tokens tie"}
    assert glance(monkeypatch, [limited], Limited=["limited"])[0].startswith("| Limited | limited * | yes |")


def test_positions_that_do_not_help_are_not_recommended(monkeypatch):
    worse = measured("worse", left_forward_no_position_ids="different", left_forward_position_ids="different")
    assert "| wrong with them too |" in glance(monkeypatch, [worse], Worse=["worse"])[0]


def test_model_types_that_differ_are_named(monkeypatch):
    judged = [measured("one"), measured("two", packed="different")]
    [row] = glance(monkeypatch, judged, Both=["one", "two", "gone"], Gone=["gone"])
    assert row == "| Both | one, two | yes | yes | no | yes | yes: one; **no**: two |"


def architecture(left="equivalent", first="equivalent", known_limit=None, *codes):
    verdicts = {"left_generate": left, "left_first_token": first}
    details = [{"code": code, "severity": "error"} for code in codes]
    return {
        "model_type": "some",
        "variant": None,
        "verdicts": verdicts,
        "allowed": 1e-4,
        "known_limit": known_limit,
        "details": details,
    }


NOTE = compatibility.Note("It is so.", None)
TESTED, SKIPPED = {"status": "tested"}, {"status": "skipped", "reason": "why"}


def test_no_explanation_is_needed_if_both_agree():
    assert compatibility.explanation(architecture(), TESTED, None) == ""
    assert compatibility.explanation(architecture("different", "different", "limit"), SKIPPED, None) == ""


def test_a_tolerance_that_could_hide_a_fault_is_rejected():
    with pytest.raises(ValueError, match=r"some: 0\.5 is allowed for rounding"):
        compatibility.explanation(architecture() | {"allowed": 0.5}, TESTED, NOTE)


def test_a_difference_while_decoding_is_explained_by_what_upstream_tests():
    told = compatibility.explanation(architecture("different"), TESTED, None)
    assert told == "Upstream tests only the first new token; later ones differ."


def test_a_skip_whose_limit_does_not_show_is_explained():
    told = compatibility.explanation(architecture(known_limit="limit"), SKIPPED, NOTE)
    assert told == "Upstream skips its test; here the limit does not show. It is so."


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (architecture("different", "different"), TESTED),
        (architecture("different", "different", None, "PAD201"), {}),
        (architecture("equivalent", "equivalent", None, "PAD208"), TESTED),
    ],
    ids=["against upstream", "an error without an upstream test", "an error not about padding"],
)
def test_a_result_without_explanation_is_rejected(found, said):
    with pytest.raises(ValueError, match=r"some: .*docs/notes.json"):
        compatibility.explanation(found, said, None)
    assert compatibility.explanation(found, said, NOTE).endswith("It is so.")


def test_a_variant_has_a_row_and_a_note_of_its_own(monkeypatch):
    note = compatibility.Note("One row decides for all.", "some.py")
    monkeypatch.setattr(compatibility, "notes", lambda: {"some+longrope": note})
    monkeypatch.setattr(compatibility, "upstream", lambda: {"some": TESTED})
    default = architecture() | {"position_encoding": "rotary", "max_abs_diffs": {}}
    wrong = architecture("different", "different", None, "PAD206")
    variant = default | wrong | {"variant": "longrope", "max_abs_diffs": {"left_generate": 1.5}}
    merged = default | {"verdicts": variant["verdicts"], "variants": [default, variant]}
    first, second = compatibility.rows(compatibility.lines([merged])).splitlines()[2:]
    assert first.startswith("| some | rotary | ok |")
    assert second.startswith("| some+longrope | rotary | 1.5 |")
    assert second.endswith("| PAD206 |  | One row decides for all. [Script](faults/some.py). |")
    assert [compatibility.name(line) for line in compatibility.lines([default | {"variants": []}])] == ["some"]


def test_classifiers_that_padding_harms_have_a_row_with_the_cause():
    def of(model_type, left, *codes):
        verdicts = {"classify_left": "different" if left else "equivalent", "classify_right": "equivalent"}
        far = {"classify_left": left, "classify_right": 0.0}
        return architecture(None, None, None, *codes) | {
            "model_type": model_type,
            "verdicts": verdicts,
            "max_abs_diffs": far,
        }

    without_class = architecture()
    text = compatibility.classifiers([of("bert", 7.5, "PAD405", "PAD412", "PAD201"), of("llama", 0.0), without_class])
    assert text.splitlines()[2:] == ["| bert | 7.5 | ok | PAD412 |", "", "Right on both sides: llama."]


def test_what_only_a_classifier_does_needs_no_note():
    found = architecture("equivalent", "equivalent", None, "PAD405", "PAD412")
    assert compatibility.explanation(found, TESTED, None) == ""
