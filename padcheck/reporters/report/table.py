"""The report for a person at a terminal; the verdict comes last, so that it is on the screen when the command ends."""

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from padcheck.core.evidence import Row
from padcheck.core.report import Report, Verdict
from padcheck.reporters.report.blocks import VERDICT_STYLE, print_conclusion, print_finding, verdicts
from padcheck.reporters.report.grid import grid
from padcheck.reporters.report.positions import table_offset
from padcheck.reporters.report.wording import findings, probes, prompts, rounding, what_was_run
from padcheck.reporters.report.wording.conclusion import conclusion
from padcheck.reporters.text.layout import captured, headed_table, pairs, section, section_title
from padcheck.reporters.text.view import View
from padcheck.reporters.text.visible import visible_edges, visible_pads, visible_token

_MANY_PROMPTS = 4
"""With more prompts than that, only some show their columns."""


def render(report: Report, view: View) -> str:
    """The report as text, with ANSI colours if the view has colour."""
    return captured(view, lambda console: print_report(report, view, console))


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
    if view.verbose and report.skipped:
        section(console, "Rules not decided", Text(findings.undecided_rules(report)))
    console.print()
    print_conclusion(conclusion(report), report.status, console)


def _print_judgement(report: Report, console: Console) -> None:
    if report.comparisons:
        if found := probes.rows(report):
            section(console, probes.title(report), _probes(found))
            if notes := probes.notes(report):
                console.print(Text(notes, style="dim"))
        section(console, rounding.TITLE, pairs(rounding.rows(report)))
        section(console, "Verdict", verdicts(report))
    if report.findings:
        section_title(console, "Findings")
        for number, finding in enumerate(report.findings):
            if number:
                console.print()
            print_finding(finding, console)
    if report.advice:
        section_title(console, "Advice")
        for task, line in findings.advice(report):
            # Neither folded nor cut, so that the line can be pasted.
            console.print(Text.assemble((f"{task:<12}", "dim"), (line, "cyan")), soft_wrap=True)


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
    with_grid = set(_prompts_with_grid(report, view))
    for index, prompt in enumerate(evidence.prompts):
        outputs = prompts.outputs(report, index)
        if not outputs:
            continue
        section(console, f"Prompt {index}: {visible_edges(prompt)}", _outputs(report, outputs))
        if index not in with_grid:
            continue
        for title, row in prompts.distinct_rows(outputs):
            console.print()
            console.print(Text(title, style="bold"))
            console.print(Group(*grid(row, view.width, table_offset(report))))
    if any(run.rows for run in evidence.runs.values()):
        console.print()
        console.print(_legend(report, some_hidden=len(with_grid) < len(evidence.prompts)))


def _prompts_with_grid(report: Report, view: View) -> list[int]:
    """All prompts if there are few or the user wants all; otherwise those that padding changed, or the first few."""
    indices = list(range(len(report.evidence.prompts)))
    if view.verbose or len(indices) <= _MANY_PROMPTS:
        return indices
    changed = sorted(
        row.prompt_index
        for row in report.comparisons["left"].rows
        if row.verdict in (Verdict.DIFFERENT, Verdict.NON_FINITE)
    )
    return (changed or indices)[:_MANY_PROMPTS]


def _outputs(report: Report, outputs: list[prompts.Output]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    table.add_column(overflow="fold", max_width=30)
    for output in outputs:
        comparison = report.comparisons.get(output.run)
        verdicts = {row.prompt_index: row.verdict for row in comparison.rows} if comparison else {}
        style = VERDICT_STYLE.get(verdicts.get(output.row.prompt_index, Verdict.NOT_RUN), "")
        table.add_row(
            Text(output.run),
            _output_text(report, output.run, output.row),
            Text(output.outcome, style=style if comparison else "dim"),
        )
    return table


def _output_text(report: Report, run: str, row: Row) -> Text:
    """Pads, prompt and new tokens in the order of the row."""
    pads = Text(visible_pads(row, report.evidence.tokenizer.pad_token_used), style="dim")
    prompt = Text(visible_edges(row.prompt_text))
    parts = [pads, prompt] if report.evidence.runs[run].padding_side == "left" else [prompt, pads]
    new = Text.assemble((prompts.NEW, "bold"), " ", (visible_edges(row.generated_text), "bold green"))
    return Text(" ").join([*(part for part in parts if part), new])


def _legend(report: Report, *, some_hidden: bool) -> Text:
    pad = visible_token(report.evidence.tokenizer.pad_token_used)
    text = (
        f"{prompts.NEW} and │ new tokens   {prompts.PAD} {pad}   ␣ space   - not passed to forward()   "
        f"{prompts.UNLIKE_MASK} not the position from the mask"
    )
    return Text(text + ("\n--verbose shows the columns of every prompt" if some_hidden else ""), style="dim")


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
