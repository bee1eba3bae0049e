"""The report for a person at a terminal; the verdict comes last, where the eye is when the command ends."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from padcheck.core.evidence import Row
from padcheck.core.report import Report, Verdict
from padcheck.reporters.report import wording
from padcheck.reporters.report.conclusion import conclusion
from padcheck.reporters.report.grid import grid
from padcheck.reporters.report.positions import table_offset
from padcheck.reporters.report.verdicts import VERDICT_STYLE, verdicts
from padcheck.reporters.text.layout import (
    STATUS_STYLE,
    captured,
    pairs,
    print_finding,
    section,
    section_title,
)
from padcheck.reporters.text.view import View
from padcheck.reporters.text.visible import visible, visible_edges, visible_pads, visible_token

_MANY_PROMPTS = 4


def render(report: Report, view: View) -> str:
    """The report as text, with ANSI colours where the view has them."""
    return captured(view, lambda console: print_report(report, view, console))


def print_report(report: Report, view: View, console: Console) -> None:
    """Prints every section of the report."""
    evidence = report.evidence
    section(console, f"padcheck {report.command} {visible(evidence.model.id)}", pairs(wording.header(report)))
    section(console, "Special tokens", _special_tokens(report))
    if report.command == "inspect-tokenizer":
        section(console, "Tokenizer", pairs(wording.tokenizer_settings(evidence)))
        section(
            console, "generation_config", Text(wording.settings_text(evidence.generation_config) or "nothing is set")
        )
        _print_samples(report, view, console)
    else:
        _print_prompts(report, view, console)
    if warnings := wording.warnings(evidence):
        section(console, "Warnings of the libraries, by arm", pairs(warnings))
    _print_judgement(report, console)
    if view.verbose and report.skipped:
        section(console, "Rules not decided", Text(wording.skipped_rules(report)))
    console.print()
    console.print(Text(conclusion(report), style=STATUS_STYLE[report.status]))


def _print_judgement(report: Report, console: Console) -> None:
    if report.comparisons:
        if probes := wording.probes(report):
            section(console, wording.probes_title(report), _probes(probes))
            if other_probes := wording.other_probes(report):
                console.print(Text(other_probes, style="dim"))
        section(console, "What rounding does", pairs(wording.noise_floor(report)))
        section(console, "Verdict", verdicts(report))
    if report.findings:
        section_title(console, "Findings")
        for number, finding in enumerate(report.findings):
            if number:
                console.print()
            print_finding(finding, console)
    if report.advice:
        section_title(console, "Advice")
        for task, line in wording.advice(report):
            # Neither folded nor cut, like a fix: it is meant to be pasted.
            console.print(Text.assemble((f"{task:<12}", "dim"), (line, "cyan")), soft_wrap=True)


def _special_tokens(report: Report) -> RenderableType:
    evidence = report.evidence
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("", "tokenizer", "config", "generation_config"):
        table.add_column(heading, overflow="fold", style="dim" if not heading else "")
    for cells in wording.special_tokens(evidence):
        table.add_row(*map(Text, cells))
    lines: list[RenderableType] = [table]
    if report.command == "compare":
        tokenizer = evidence.tokenizer
        labelled = [
            ("padding side", f"{tokenizer.padding_side} ({tokenizer.padding_side_source})"),
            ("pad token used", wording.pad_token_used(evidence)),
        ]
        if evidence.overridden:
            labelled.append(("switched off for the run", wording.settings_text(evidence.overridden)))
        lines.append(pairs(labelled))
    return Group(*lines)


def _print_prompts(report: Report, view: View, console: Console) -> None:
    evidence = report.evidence
    with_grid = set(_prompts_with_grid(report, view))
    for index, prompt in enumerate(evidence.prompts):
        outputs = wording.outputs(report, index)
        if not outputs:
            continue
        section(console, f"Prompt {index}: {visible_edges(prompt)}", _outputs(report, outputs))
        if index not in with_grid:
            continue
        for title, row in wording.columns(outputs):
            console.print()
            console.print(Text(title, style="bold"))
            console.print(Group(*grid(row, view.width, table_offset(report))))
    if any(arm.rows for arm in evidence.runs.values()):
        console.print()
        console.print(_legend(report, some_hidden=len(with_grid) < len(evidence.prompts)))


def _prompts_with_grid(report: Report, view: View) -> list[int]:
    """All prompts where they are few or the user wants all; else those that padding changed, or the first few."""
    prompts = list(range(len(report.evidence.prompts)))
    if view.verbose or len(prompts) <= _MANY_PROMPTS:
        return prompts
    changed = sorted(
        row.prompt_index
        for row in report.comparisons["left"].rows
        if row.verdict in (Verdict.DIFFERENT, Verdict.NON_FINITE)
    )
    return (changed or prompts)[:_MANY_PROMPTS]


def _outputs(report: Report, outputs: list[wording.Output]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    table.add_column(overflow="fold", max_width=30)
    for output in outputs:
        comparison = report.comparisons.get(output.arm)
        verdicts = {row.prompt_index: row.verdict for row in comparison.rows} if comparison else {}
        style = VERDICT_STYLE.get(verdicts.get(output.row.prompt_index, Verdict.NOT_RUN), "")
        table.add_row(
            Text(output.arm),
            _output_text(report, output.arm, output.row),
            Text(output.outcome, style=style if comparison else "dim"),
        )
    return table


def _output_text(report: Report, arm: str, row: Row) -> Text:
    """Pads, prompt and new tokens in the order of the row."""
    pads = Text(visible_pads(row, report.evidence.tokenizer.pad_token_used), style="dim")
    prompt = Text(visible_edges(row.prompt_text))
    parts = [pads, prompt] if report.evidence.runs[arm].padding_side == "left" else [prompt, pads]
    new = Text.assemble((wording.NEW, "bold"), " ", (visible_edges(row.generated_text), "bold green"))
    return Text(" ").join([*(part for part in parts if part), new])


def _legend(report: Report, *, some_hidden: bool) -> Text:
    pad = visible_token(report.evidence.tokenizer.pad_token_used)
    text = (
        f"{wording.NEW} and │ new tokens   {wording.PAD} {pad}   ␣ space   - not given to forward()   "
        f"{wording.UNLIKE_FORMULA} not the position that the mask gives"
    )
    return Text(text + ("\n--verbose shows the columns of every prompt" if some_hidden else ""), style="dim")


def _print_samples(report: Report, view: View, console: Console) -> None:
    for side, sample in report.evidence.samples.items():
        if sample.error is not None:
            section(console, wording.sample_title(side), Text(visible(sample.error), style="red"))
            continue
        rows = sample.rows if view.verbose else sample.rows[:_MANY_PROMPTS]
        lines = [
            Padding(Group(Text(visible(str(list(row.input_ids)))), *grid(row, view.width)), (0, 0, 1, 0))
            for row in rows
        ]
        section(console, f"The prompts {wording.sample_title(side)}", Group(*lines))


def _probes(probes: list[tuple[str, str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    for cells in probes:
        table.add_row(*map(Text, cells))
    return table
