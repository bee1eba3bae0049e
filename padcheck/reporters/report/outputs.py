"""What a prompt became in each run: pads, prompt and new text, and how that compares with the prompt alone."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from padcheck.core.report import Report
from padcheck.core.run_results import Row
from padcheck.core.verdicts import Verdict
from padcheck.reporters.report.blocks import EXPECTED_STYLE, VERDICT_STYLE
from padcheck.reporters.report.wording import prompts
from padcheck.reporters.report.wording.runs import is_expected
from padcheck.reporters.text.layout import first_lines, last_cells
from padcheck.reporters.text.visible import visible_edges, visible_pads

_OUTCOME_WIDTH = 30
_GAP = 2


def outputs_table(report: Report, outputs: list[prompts.Output]) -> Table:
    """The outputs of one prompt, whole."""
    table = _table()
    for output in outputs:
        text = _text(report, output, visible_edges(output.row.prompt_text))
        table.add_row(Text(output.run, style="bold"), text, _outcome(report, output))
    return table


def outputs_in_short(report: Report, outputs: list[prompts.Output], console: Console, *, most_lines: int) -> Table:
    """The same with few lines for each run: the end of a long prompt, and the beginning of its new text."""
    labels = max(len(output.run) for output in outputs)
    outcomes = [first_lines(_outcome(report, output), _OUTCOME_WIDTH, most_lines, console) for output in outputs]
    width = console.width - labels - max(line.cell_len for each in outcomes for line in each.split()) - 2 * _GAP
    table = _table()
    for output, outcome in zip(outputs, outcomes, strict=True):
        # With one line for both, the new text gets half of it.
        room = (width - _pads(report, output.row).cell_len) * most_lines // 2 - len(prompts.NEW) - 2
        text = _text(report, output, last_cells(visible_edges(output.row.prompt_text), room))
        table.add_row(Text(output.run, style="bold"), first_lines(text, width, most_lines, console), outcome)
    return table


def _table() -> Table:
    table = Table.grid(padding=(0, _GAP))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    table.add_column(overflow="fold", max_width=_OUTCOME_WIDTH)
    return table


def _text(report: Report, output: prompts.Output, prompt: str) -> Text:
    """Pads, prompt and new tokens in the order of the row."""
    row, pads = output.row, _pads(report, output.row)
    parts = [pads, Text(prompt)] if report.evidence.runs[output.run].padding_side == "left" else [Text(prompt), pads]
    new = Text.assemble((prompts.NEW, "bold"), " ", (visible_edges(row.generated_text), "bold green"))
    return Text(" ").join([*(part for part in parts if part), new])


def _pads(report: Report, row: Row) -> Text:
    return Text(visible_pads(row, report.evidence.tokenizer.pad_token_used), style="dim")


def _outcome(report: Report, output: prompts.Output) -> Text:
    comparison = report.comparisons.get(output.run)
    verdicts = {row.prompt_index: row.verdict for row in comparison.rows} if comparison else {}
    verdict = verdicts.get(output.row.prompt_index, Verdict.NOT_RUN)
    if comparison is None or verdict is Verdict.NOT_RUN:
        return Text(output.outcome, style="dim")
    expected = verdict is Verdict.DIFFERENT and is_expected(report, output.run)
    return Text(output.outcome, style=EXPECTED_STYLE if expected else VERDICT_STYLE[verdict])
