"""A document whose parts do not belong together is refused when it is read, with the place of what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from documents import DOCUMENTS, a_run
from msgspec.structs import replace

from padcheck.core.errors import UsageError
from padcheck.core.json_io import dump, load
from padcheck.core.run_report import AnyDocument

Edit = Callable[[Any], None]
"""Changes a document as plain JSON."""


def put(place: str, value: object) -> Edit:
    """Sets the value at a place such as `arms.left.rows.0.tokens`."""
    *above, last = place.split(".")

    def edit(document: Any) -> None:
        found = document
        for key in above:
            found = found[int(key) if key.isdecimal() else key]
        found[int(last) if last.isdecimal() else last] = value

    return edit


def put_all(**values: object) -> Edit:
    """Sets several values at the top."""
    return lambda document: document.update(values)


def without(place: str) -> Edit:
    """Removes what is at a place."""
    *above, last = place.split(".")

    def edit(document: Any) -> None:
        found = document
        for key in above:
            found = found[int(key) if key.isdecimal() else key]
        del found[int(last) if last.isdecimal() else last]

    return edit


ROW = "arms.left.rows.1"
PLACE = {"module": "m", "class": "Linear", "file": None, "line": None} | {
    "difference_before": 0.0,
    "difference": 1.0,
    "allowed": 0.1,
    "prompt_index": 9,
    "step": 0,
}
OF_A_REPORT = [
    (put("prompts", []), "$.prompts"),
    (put("prompts", ["one more"] * 3), "`num_prompt_tokens` needs 3 entries"),
    (put("num_prompt_tokens", [3]), "`num_prompt_tokens` needs 2 entries"),
    (put("num_prompt_tokens", [3, -1]), "$.num_prompt_tokens"),
    (put("max_new_tokens", 0), "$.max_new_tokens"),
    (put("max_new_tokens", 10**30), "$.max_new_tokens"),
    (put("model.num_layers", -4), "$.model.num_layers"),
    (put("model.num_parameters", 10**400), "$.model.num_parameters"),
    (put("arms.left.rows", []), "2 rows are needed - at `$.arms.left.rows`"),
    (without("arms.single"), "there is no run `single`"),
    (put("arms", {}), "$.differences.left"),
    (without("arms.right"), "there is no such run in `arms` - at `$.differences.right`"),
    (without("arms.left"), "there is no run `left` - at `$.arms.scrambled`"),
    (without("differences.left"), "the prompts [0, 1] are missing in `differences` - at `$.arms.left`"),
    (put("differences.left", []), "the prompts [0, 1] are missing in `differences` - at `$.arms.left`"),
    (put("arms.left.reference", None), "`reference` is wrong for this run - at `$.arms.left`"),
    (put("arms.left.reference", "nothing"), "there is no run `nothing` - at `$.arms.left`"),
    (put("arms.single.reference", "left"), "`reference` is wrong for this run - at `$.arms.single`"),
    (put(f"{ROW}.tokens", ["a"]), "`tokens` has 1 entries and `input_ids` has 5 - at `$.arms.left.rows[1]`"),
    (put(f"{ROW}.attention_mask", [1]), "`attention_mask` has 1 entries"),
    (put(f"{ROW}.attention_mask", [0, 0, 1, 1, 2]), "$.arms[...].rows[1].attention_mask[4]"),
    (put(f"{ROW}.attention_mask", [0, 0, 1, 1, 0]), "hides a generated token"),
    (put(f"{ROW}.position_ids", []), "`position_ids` has 0 entries"),
    (put(f"{ROW}.position_ids_from_mask", [0] * 6), "`position_ids_from_mask` has 6 entries"),
    (put(f"{ROW}.positions_used", [0]), "`positions_used` has 1 entries"),
    (put(f"{ROW}.generated_ids", [20] * 9), "`input_ids` ends otherwise"),
    (put(f"{ROW}.generated_ids", [20, 22]), "`input_ids` ends otherwise"),
    (put(f"{ROW}.num_pad_tokens", 10**9), "`num_pad_tokens` contradicts `attention_mask`"),
    (put(f"{ROW}.num_pad_tokens", -1), "$.arms[...].rows[1].num_pad_tokens"),
    (put(f"{ROW}.prompt_index", 7), "there is no prompt 7 - at `$.arms.left.rows`"),
    (put(f"{ROW}.prompt_index", 0), "the prompts are not in order"),
    (put("differences.nothing", []), "there is no such run in `arms` - at `$.differences.nothing`"),
    (put("differences.left.1.num_pad_tokens", 3), "no row in `arms` has this prompt and pad count"),
    (put("differences.scrambled.1.prompt_index", 9), "there is no prompt 9 - at `$.differences.scrambled`"),
    (put("differences.left.1.steps", []), "$.differences[...][1].steps"),
    (put("differences.left.1.steps.0.max_abs_diff", -1.0), "max_abs_diff"),
    (put("differences.left.1.steps.0.max_abs_diff", 1e300), "max_abs_diff"),
    (put("differences.left.1.steps.0.max_abs_diff", None), "`max_abs_diff` and `non_finite` contradict each other"),
    (put("differences.left.1.steps.0.non_finite", 3), "`max_abs_diff` and `non_finite` contradict each other"),
    (
        put(
            "differences.left.1.flip",
            {"step": 4}
            | dict.fromkeys(("reference_token_id", "token_id"), 1)
            | dict.fromkeys(("reference_token", "token"), "a")
            | dict.fromkeys(("reference_margin", "margin"), 0.1),
        ),
        "`flip` is not at the last step",
    ),
    (put_all(arms={}, differences={}, comparisons={}), "the run `single` is missing - at `$.arms`"),
    (put("samples.left", []), "2 rows are needed - at `$.samples.left`"),
    (put("screen", {"prompt_index": 5, "sizes": {}}), "there is no prompt 5 - at `$.screen`"),
    (put("screen", {"prompt_index": 0, "sizes": {"window": 0}}), "$.screen.sizes"),
    (put("comparisons.left.reference", "right"), "`comparisons` and `arms` name other references"),
    (without("comparisons.left"), "`comparisons` and `arms` name other references"),
    (put("comparisons.left.max_abs_diff", -0.5), "$.comparisons[...].max_abs_diff"),
    (put("status", "pass"), "`status` and `exit_code` contradict each other"),
    (put("findings.0.code", "\x1b[31m"), "$.findings[0].code"),
]
OF_A_TASK = [
    (put_all(task=None, task_comparisons={}), "the run `single` is missing - at `$.arms`"),
    (put("judgement.task", "score"), "`judgement` and `task` contradict each other"),
    (without("task.runs.alone"), "the run `alone` is missing - at `$.task.runs`"),
    (put("task.runs.left.reference", "nothing"), "there is no run `nothing` - at `$.task.runs.left`"),
    (put("task.runs.left.reference", None), "`reference` is wrong for this run - at `$.task.runs.left`"),
    (put("task.runs.left.rows.1.prompt_index", 0), "the prompts are not in order - at `$.task.runs.left.rows`"),
    (put("task.runs.left.rows.1.prompt_index", 7), "there is no prompt 7 - at `$.task.runs.left.rows`"),
    (put("task.runs.left.rows.1.num_pad_tokens", -1), "num_pad_tokens"),
    (put("task.runs.left.rows.1.read_tokens", []), "`read_tokens` has 0 entries and `read_at` has 1"),
    (put("task.runs.left.rows.1.difference.max_abs_diff", -1.0), "max_abs_diff"),
    (put("task.choices", [{"prompt_index": 9, "text": "a"}]), "there is no prompt 9 - at `$.task.choices[0]`"),
    (without("task_comparisons.left"), "`task_comparisons` and `task` name other references"),
    (put("places", {"classify_nothing": PLACE}), "there is no such run in `arms` or `task`"),
    (put("places", {"classify_left": PLACE}), "there is no prompt 9 - at `$.places.classify_left`"),
]


def _two_rows_of_a_step(document: dict) -> None:
    rows = document["task"]["runs"]["step_right"]["rows"]
    rows.append(rows[0] | {"prompt_index": 1})


OF_A_TRAINING = [
    (_two_rows_of_a_step, "a step has one row, and this one has 2 - at `$.task.runs.step_right.rows`"),
    (without("task.runs.step_alone.rows.0.numbers.labels"), "these numbers are missing: labels"),
    (without("task.runs.step_left.rows.0.numbers.cosine"), "these numbers are missing: cosine"),
]
OF_A_CHECK = [
    (put("reports", []), "$.reports"),
    (put("reports.0.prompts", []), "$.prompts"),
    (put("reports.1.arms.left.rows", []), "at `$.reports[1].arms.left.rows`"),
    (put("reports.2", {"status": "pass", "exit_code": 0, "model": {"id": "a"}, "error": {"what": "b"}}), "no verdict"),
    (put("reports.2.status", "pass"), "`status` and `exit_code` contradict each other - at `$.reports[2]`"),
    (put("vanished.0.code", "PAD"), "$.vanished[0].code"),
    (put("configuration", {"path": "a", "lines": {"demo": 0}}), "$.configuration.lines"),
]
OF_A_SURVEY = [
    (put("architectures", []), "$.architectures"),
    (put("architectures.0.findings", []), "`findings` and `details` have other codes - at `$.architectures[0]`"),
    (put("architectures.0.details", []), "`findings` and `details` have other codes"),
    (put("architectures.0.verdicts", {}), "`status` and `verdicts` contradict each other"),
    (put("architectures.0.status", "not_built"), "`status` and `exit_code` contradict each other"),
    (put("architectures.1.exit_code", 0), "`status` and `exit_code` contradict each other"),
    (put("architectures.0.max_abs_diffs", {"left_generate": -1}), "max_abs_diffs"),
]
OF_A_RUN = [
    (put("status", "pass"), "`status` and `exit_code` contradict each other"),
    (put("findings.0.code", "PAD"), "$.findings[0].code"),
    (put("findings.0.line", 0), "$.findings[0].line"),
    (put("calls.checked", -1), "$.calls.checked"),
    (put("calls.forward", 0), "there are findings, but no call of a model - at `$.findings`"),
    (put("findings.1.line", 1), "the findings are not in the order of file, line and code - at `$.findings`"),
    (put("suppressed.0.line", 0), "$.suppressed[0].line"),
]
RUN = replace(a_run(), findings=a_run().findings * 2)
CASES = [
    (DOCUMENTS[name], edit, says)
    for name, edits in (
        ("compare", OF_A_REPORT),
        ("classify", OF_A_TASK),
        ("train", OF_A_TRAINING),
        ("check", OF_A_CHECK),
        ("survey", OF_A_SURVEY),
    )
    for edit, says in edits
]
CASES += [(RUN, edit, says) for edit, says in OF_A_RUN]


@pytest.mark.parametrize(("document", "edit", "says"), CASES, ids=[says for _, _, says in CASES])
def test_a_document_that_does_not_hold_together_is_a_usage_error(
    document: AnyDocument, edit: Edit, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "document.json"
    written = json.loads(dump(document))
    file.write_text(json.dumps(written))
    assert dump(load(file)) == dump(document)
    edit(written)
    file.write_text(json.dumps(written))
    with pytest.raises(UsageError) as caught:
        load(file)
    assert says in caught.value.what
