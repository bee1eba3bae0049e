"""The report for a person at a terminal: the answer, or with --verbose everything, with the verdict at the end."""

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from padcheck.core.report import Report
from padcheck.reporters.report.answer import print_answer
from padcheck.reporters.report.blocks import code_lines, print_conclusion, print_finding, print_lines, verdicts
from padcheck.reporters.report.grid import grid
from padcheck.reporters.report.outputs import outputs_table
from padcheck.reporters.report.positions import table_offset
from padcheck.reporters.report.wording import findings, probes, prompts, rounding, what_was_run
from padcheck.reporters.report.wording.conclusion import conclusion
from padcheck.reporters.report.wording.verdicts import rows as verdict_rows
from padcheck.reporters.text.layout import captured, headed_table, pairs, section, section_title
from padcheck.reporters.text.view import View
from padcheck.reporters.text.visible import visible_edges, visible_token

_MANY_PROMPTS = 4
"""Of more prompts than that, an inspection shows only some, unless the user wants all."""


def render(report: Report, view: View) -> str:
    """The report as text, with ANSI colours if the view has colour."""
    return captured(view, lambda console: print_table(report, view, console))


def print_table(report: Report, view: View, console: Console) -> None:
    """Prints the answer, or every section if the view is verbose or nothing ran."""
    if report.command == "compare" and not view.verbose:
        print_answer(report, console)
    else:
        print_report(report, view, console)


def print_report(report: Report, view: View, console: Console) -> None:
    """Prints every section of the report."""
    evidence = report.evidence
    section(console, f"padcheck {report.command} {evidence.model.id}", pairs(what_was_run.header(report)))
    section(console, "Special tokens", _special_tokens(report))
    if report.command == "inspect-tokenizer":
        section(console, "Tokenizer", pairs(what_was_run.tokenizer_settings(evidence)))
        section(console, "generation_config", Text(what_was_run.generation_config(evidence)))
        _print_samples(report, view, console)
    else:
        _print_prompts(report, view, console)
    if warnings := what_was_run.warnings(evidence):
        section(console, "Warnings of the libraries, by run", pairs(warnings))
    _print_judgement(report, console)
    if view.verbose and (undecided := findings.undecided_rules(report)):
        text = "; ".join(f"{skipped.code}: {skipped.reason}" for skipped in undecided)
        section(console, "Rules not decided", Text(text))
    console.print()
    print_conclusion(conclusion(report), report.status, console)


def _print_judgement(report: Report, console: Console) -> None:
    if report.comparisons:
        if found := probes.rows(report):
            section(console, probes.title(report), _probes(found))
            if notes := probes.notes(report):
                console.print(Text(notes, style="dim"))
        section(console, rounding.TITLE, pairs(rounding.rows(report)))
        section(console, "Verdict", verdicts(report, verdict_rows(report)))
    if report.findings:
        section_title(console, "Findings")
        for number, finding in enumerate(report.findings):
            if number:
                console.print()
            print_finding(finding, console)
    if report.advice:
        section_title(console, "Advice")
        for task, line in findings.advice(report):
            print_lines([Text(task, style="dim"), *code_lines(line, console.width)], console)


def _special_tokens(report: Report) -> RenderableType:
    evidence = report.evidence
    table = headed_table(what_was_run.SPECIAL_TOKENS_HEADINGS, what_was_run.special_tokens(evidence))
    if report.command != "compare":
        return table
    labelled = [
        ("padding side", what_was_run.padding_side(evidence)),
        ("pad token used", what_was_run.pad_token_used(evidence)),
    ]
    if evidence.overridden:
        labelled.append(("switched off by padcheck", what_was_run.settings_text(evidence.overridden)))
    return Group(table, pairs(labelled))


def _print_prompts(report: Report, view: View, console: Console) -> None:
    evidence = report.evidence
    for index, prompt in enumerate(evidence.prompts):
        outputs = prompts.outputs(report, index)
        if not outputs:
            continue
        heading = f"{prompts.heading(report, index)}: {visible_edges(prompt)}"
        section(console, heading, outputs_table(report, outputs))
        for title, row in prompts.distinct_rows(outputs):
            console.print()
            console.print(Text(title, style="bold"))
            console.print(Group(*grid(row, view.width, table_offset(report))))
    if any(run.rows for run in evidence.runs.values()):
        console.print()
        console.print(_legend(report))


def _legend(report: Report) -> Text:
    pad = visible_token(report.evidence.tokenizer.pad_token_used)
    text = (
        f"{prompts.NEW} and │ new tokens   {prompts.PAD} {pad}   ␣ space   - not passed to forward()   "
        f"{prompts.UNLIKE_MASK} not the position from the mask"
    )
    return Text(text, style="dim")


def _print_samples(report: Report, view: View, console: Console) -> None:
    for side, sample in report.evidence.samples.items():
        if sample.error is not None:
            section(console, prompts.sample_title(side), Text(sample.error, style="red"))
            continue
        rows = sample.rows if view.verbose else sample.rows[:_MANY_PROMPTS]
        lines: list[Text] = []
        for row in rows:
            # A blank line between two rows.
            lines += [*([Text()] if lines else []), Text(str(list(row.input_ids))), *grid(row, view.width)]
        section(console, f"The prompts {prompts.sample_title(side)}", Group(*lines))


def _probes(rows: list[tuple[str, str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    for cells in rows:
        table.add_row(*map(Text, cells))
    return table
