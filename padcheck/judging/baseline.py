"""The baseline: a file of findings that a team has accepted. Only new findings make a check fail."""

from pathlib import Path

import msgspec

from padcheck.core.errors import UsageError
from padcheck.core.report import Check, KnownFinding, Report
from padcheck.core.run_report import CallerFinding, KnownLine, Run
from padcheck.core.severity import Severity

SCHEMA_VERSION = 1


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """The accepted findings, by model and code. A finding of the same code that is more severe is new.

    `lines` are the accepted mistakes of watched programs.
    """

    schema_version: int = SCHEMA_VERSION
    findings: tuple[KnownFinding, ...]
    lines: tuple[KnownLine, ...] = ()

    def of(self, model: str) -> dict[str, Severity]:
        """The severity up to which each code is accepted for a model."""
        return {known.code: known.severity for known in self.findings if known.model == model}

    def of_script(self, script: str) -> list[KnownLine]:
        """The accepted mistakes of a watched program."""
        return [known for known in self.lines if known.script == script]


def read(path: Path | None, *, may_be_new: bool) -> Baseline:
    """Reads a baseline. It is empty if no path is given, or if it `may_be_new` and the file does not exist yet.

    Raises:
        UsageError: The file cannot be read, is not a baseline, or has another schema version; or a baseline is to be
            written and no path is given.
    """
    if path is None and may_be_new:
        raise UsageError(
            "--write-baseline needs a path.",
            change='Add --baseline FILE, or baseline = "FILE" in the configuration file.',
        )
    if path is None or (may_be_new and not path.exists()):
        return Baseline(findings=())
    again = "Check the path. If the baseline is out of date, remove it and write a new one with --write-baseline."
    try:
        written = msgspec.json.decode(path.read_bytes())
        version = written.get("schema_version") if isinstance(written, dict) else None
        if version is None:
            raise UsageError(f"{path} is not a baseline: it has no schema_version.", change=again)
        if version != SCHEMA_VERSION:
            raise UsageError(
                f"The baseline {path} has schema_version {version!r}; this padcheck reads {SCHEMA_VERSION}.",
                meaning="It was written by another version of padcheck.",
                change=again,
            )
        return msgspec.convert(written, Baseline)
    except FileNotFoundError as error:
        raise UsageError(f"There is no baseline {path}.", change="Create it with --write-baseline.") from error
    except OSError as error:
        raise UsageError(
            f"The baseline {path} cannot be read: {error.strerror or error}.", change="Check the path."
        ) from error
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not a baseline: {error}.", change=again) from error


def was_measured(report: Report) -> bool:
    """True if an absent finding means an absent problem. If nothing was measured, it means nothing."""
    return report.status != "not_measured"


def updated(before: Baseline, check: Check) -> Baseline:
    """What the check found, and what was accepted before for models and rules that it did not look at."""
    measured = [report for report in check.reports if isinstance(report, Report) and was_measured(report)]
    undecided = {report.evidence.model.id: {each.code for each in report.skipped} for report in measured}
    kept = [known for known in before.findings if known.code in undecided.get(known.model, {known.code})]
    found = [
        KnownFinding(model=report.evidence.model.id, code=finding.code, severity=finding.severity)
        for report in measured
        for finding in report.findings
    ]
    findings = tuple(sorted((*kept, *found), key=lambda known: (known.model, known.code)))
    return msgspec.structs.replace(before, findings=findings)


def accepted(finding: CallerFinding, lines: list[KnownLine]) -> KnownLine | None:
    """The line among these that accepts a finding, or None."""
    place = finding.file, finding.source, finding.code
    same = (known for known in lines if (known.file, known.source, known.code) == place)
    return next((known for known in same if finding.severity.rank <= known.severity.rank), None)


def updated_by_run(before: Baseline, script: str, run: Run) -> Baseline:
    """What a watched program does wrong, and what was accepted before of other programs.

    If this program failed, or nothing was watched, it may have reached fewer lines, so its old ones stay.
    """
    is_complete = run.status != "not_measured" and not run.script_exit_code
    found = [
        KnownLine(script=script, file=each.file, source=each.source, code=each.code, severity=each.severity)
        for each in run.findings
        if is_complete or not each.known
    ]
    kept = [known for known in before.lines if not is_complete or known.script != script]
    lines = sorted((*kept, *found), key=lambda known: (known.script, known.file, known.code, known.source))
    return msgspec.structs.replace(before, lines=tuple(lines))


def dump(baseline: Baseline) -> str:
    """The baseline as JSON."""
    return msgspec.json.format(msgspec.json.encode(baseline), indent=2).decode() + "\n"
