"""The findings that need action, the others by name, the advice, and the rules that could not be decided."""

from padcheck.core.report import Finding, Report
from padcheck.core.severity import Severity


def sort_out(report: Report) -> tuple[list[Finding], list[str]]:
    """The findings that need action, and the names of the others: infos, and what a baseline accepts."""
    others = [finding for finding in report.findings if finding.known or finding.severity is Severity.INFO]
    named = [f"{each.code} {each.name} ({'known' if each.known else each.severity.value})" for each in others]
    return [finding for finding in report.findings if finding not in others], named


def label(finding: Finding) -> str:
    """The severity, and whether a baseline accepts it."""
    return f"{finding.severity.value}{', known' if finding.known else ''}"


def counts(report: Report) -> str:
    """How many findings there are of each severity, such as `1 error, 2 warnings`; empty without findings."""
    new = [finding.severity for finding in report.findings if not finding.known]
    errors, warnings, infos = map(new.count, (Severity.ERROR, Severity.WARNING, Severity.INFO))
    counted = {
        "errors" if errors > 1 else "error": errors,
        "warnings" if warnings > 1 else "warning": warnings,
        "info": infos,
        "known": len(report.findings) - len(new),
    }
    return ", ".join(f"{count} {name}" for name, count in counted.items() if count)


def advice(report: Report) -> list[tuple[str, str]]:
    """The task, and the line to paste."""
    return [(advice.task, advice.line) for advice in report.advice]


def undecided_rules(report: Report) -> str:
    """The rules that could not be decided, each with the reason."""
    return "; ".join(f"{skipped.code}: {skipped.reason}" for skipped in report.skipped)
