"""What every format says about a watched program, in the same words: plain strings without layout."""

from padcheck.core.recording import Widened
from padcheck.core.run_report import CallerFinding, Run
from padcheck.reporters.text.visible import visible

_NOTHING_WATCHED = "NOTHING WATCHED: the program made no call of a transformers model"
_UNKNOWN_ROWS = "rows that no tokenizer made while it was watched, such as rows from a cache of tokenized data"


def title(run: Run) -> str:
    """The program."""
    return run.script or "watched code"


def conclusion(run: Run) -> str:
    """The whole run in one sentence."""
    calls = run.calls
    unknown = f"{calls.unknown} padded batch{'es' * (calls.unknown > 1)} of {_UNKNOWN_ROWS}"
    if run.status == "not_measured":
        return f"NOT MEASURED: only {unknown}" if calls.unknown else _NOTHING_WATCHED
    watched = (
        f"{calls.of_a_model} call{'s' * (calls.of_a_model > 1)} of a model, {calls.padded} of them with pads, "
        f"{calls.checked} of these checked"
    )
    if calls.unknown:
        watched += f"; not checked: {unknown}"
    if not run.findings:
        return f"PASS: no padding mistake seen in {watched}"
    verdict = "FAIL" if run.status == "fail" else "PASS"
    lines = len({(finding.file, finding.line) for finding in run.findings})
    mistakes = f"{len(run.findings)} padding mistake{'s' * (len(run.findings) > 1)}"
    known = sum(finding.known for finding in run.findings)
    accepted = f", {known} of them known" if known else ""
    return f"{verdict}: {mistakes} at {lines} line{'s' * (lines > 1)}{accepted}; {watched}"


def place(finding: CallerFinding) -> str:
    """File and line, in the form that editors and terminals turn into a link."""
    return f"{finding.file}:{finding.line}"


def in_ranks(finding: CallerFinding) -> str:
    """The ranks in which it was seen, such as " in ranks 0, 3"; empty if the program is one process."""
    if not finding.ranks:
        return ""
    return f" in rank{'s' * (len(finding.ranks) > 1)} {', '.join(map(str, finding.ranks))}"


def one_line(finding: CallerFinding) -> str:
    """A finding as one line: where, what, and what to change. Printed outside of a report, so it is made safe here."""
    return visible(f"{place(finding)}: {finding.code}: {finding.message} Fix: {finding.fix}")


def _with_wider_batches(widened: Widened) -> str:
    if widened.failed:
        return f"not compared: {widened.failed}"
    unsteady = f"; {widened.unsteady} differ from run to run" if widened.unsteady else ""
    return (
        f"{widened.columns} more pad columns in {widened.batches} batches: {len(widened.differences)} of "
        f"{widened.values} numbers and words differ{unsteady}"
    )


def further(run: Run) -> list[tuple[str, str]]:
    """What was accepted, what could not be checked, and how the program ended; label and text."""
    accepted = [("accepted", f"{each.file}:{each.line}: {each.code}: {each.reason}") for each in run.suppressed]
    notes = [("note", note) for note in run.notes]
    wider = [] if run.widened is None else [("wider batches", _with_wider_batches(run.widened))]
    ended = [("exit code", f"the program itself ended with {run.script_exit_code}")] if run.script_exit_code else []
    return accepted + notes + wider + ended
