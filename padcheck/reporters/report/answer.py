"""The answer: verdict, findings and the most telling prompt, in a limited number of lines, however many prompts ran."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.text import Text

from padcheck.core.report import Report
from padcheck.core.verdicts import Finding
from padcheck.reporters.report.blocks import STATUS_STYLE, finding_lines, print_lines, verdicts
from padcheck.reporters.report.grid import excerpt
from padcheck.reporters.report.outputs import outputs_in_short
from padcheck.reporters.report.positions import table_offset
from padcheck.reporters.report.task_block import task_verdicts
from padcheck.reporters.report.wording import findings, prompts, task, training, what_was_run
from padcheck.reporters.report.wording.conclusion import conclusion
from padcheck.reporters.report.wording.verdicts import brief
from padcheck.reporters.text.layout import first_lines, headed_table
from padcheck.reporters.text.visible import visible_edges, visible_token

MOST_LINES = {"pass": 40}
MOST_LINES_OTHERWISE = 60
"""At 80 columns. A fix in code may take more, because a line to paste is not cut."""

_NAME, _FIX, _MESSAGE = range(3)
"""How much of a finding is shown: only its name, also the line to change, or everything."""


def print_answer(report: Report, console: Console) -> None:
    """Prints the answer."""
    head, prompt, rest = _head(report, console), Group(_prompt(report, console), _text(report)), _rest(report)
    most = MOST_LINES.get(report.status, MOST_LINES_OTHERWISE)
    room = most - len(console.render_lines(Group(head, prompt, rest), pad=False))
    console.print(head)
    print_lines(_findings(report, room, console), console)
    console.print(prompt)
    console.print(rest)


def _head(report: Report, console: Console) -> RenderableType:
    lines: list[RenderableType] = [
        Text(),
        _rule(f"padcheck {report.command} {report.evidence.model.id}"),
        Text(conclusion(report), style=STATUS_STYLE[report.status]),
        first_lines(Text(what_was_run.short_header(report), style="dim"), console.width, 3, console),
    ]
    lines += [first_lines(Text(text, style="dim"), console.width, 4, console) for text in _remarks(report)]
    if report.comparisons:
        lines.append(verdicts(report, brief(report)))
    if report.task_comparisons:
        lines.append(task_verdicts(report))
    return Group(*lines)


def _remarks(report: Report) -> Iterator[str]:
    evidence, tokenizer = report.evidence, report.evidence.tokenizer
    pad = f"{visible_token(tokenizer.pad_token_used)} ({tokenizer.pad_token_used_id})"
    yield f"tokenizer pads on the {what_was_run.padding_side(evidence)}; pad token used {pad}"
    if report.judgement.task is not None or report.judgement.padding_side is not None:
        yield f"judged for {report.judgement.use}"
    if evidence.companion is not None:
        yield what_was_run.companion(evidence)
    for label, text in (*what_was_run.weights(evidence.model), *what_was_run.limits(evidence)):
        yield f"{label}: {text}"


def _prompt(report: Report, console: Console) -> RenderableType:
    """The most telling prompt: its texts, and its columns around the first new token."""
    index = prompts.most_telling(report)
    outputs = prompts.outputs(report, index)
    # If all is right, the table of the task is enough, and leaves room for the findings.
    if not outputs or (report.evidence.task is not None and report.status == "pass"):
        return Group()
    title = f"{prompts.heading(report, index)}: {visible_edges(report.evidence.prompts[index])}"
    step = prompts.first_different_token(report, index)
    columns = [
        line
        for names, row in prompts.distinct_rows(outputs)
        for line in excerpt(names, row, console.width, table_offset(report), step)
    ]
    legend = prompts.UNLIKE_MASK + " not the position from the mask"
    marked = any(prompts.UNLIKE_MASK in line.plain for line in columns)
    return Group(
        Text(),
        _rule(title),
        outputs_in_short(report, outputs, console, most_lines=1 if report.status == "pass" else 2),
        *columns,
        *([Text(legend, style="dim")] if marked else []),
    )


def _text(report: Report) -> RenderableType:
    """The text that shows best what padding does to a task, in each user run; a training step if one ran."""
    ran = report.evidence.task
    if ran is None:
        return Group()
    if steps := training.most_telling(report):
        legend = Text(training.legend(report), style="dim")
        return Group(Text(), _rule(training.TITLE), headed_table(training.HEADINGS, steps), legend)
    return Group(Text(), _rule(task.title(ran)), headed_table(task.HEADINGS, task.most_telling(report)))


def _findings(report: Report, room: int, console: Console) -> list[Text]:
    """As much of the findings as fits, the most severe first: with the line to change, then with the message too."""
    in_full, others = findings.sort_out(report)
    groups = findings.sharing_a_fix(in_full)
    details = [_NAME] * len(groups)
    lines = _finding_lines(groups, details, others, console)
    for more in (_FIX, _MESSAGE):
        for place in range(len(groups)):
            tried = [*details[:place], more, *details[place + 1 :]]
            longer = _finding_lines(groups, tried, others, console)
            if details[place] == more - 1 and _height(longer, console) <= room:
                details, lines = tried, longer
    return lines


def _finding_lines(
    groups: Sequence[list[Finding]], details: Sequence[int], others: Sequence[str], console: Console
) -> list[Text]:
    lines: list[Text] = []
    names = []
    for group, detail in zip(groups, details, strict=True):
        if detail == _NAME:
            names += [findings.name(finding) for finding in group]
            continue
        if not lines or detail == _MESSAGE:
            lines.append(Text())
        lines += finding_lines(group, console, in_full=detail == _MESSAGE)
    if names or others:
        also = first_lines(Text(f"also: {', '.join((*names, *others))}", style="dim"), console.width, 2, console)
        lines += [Text(), *also.split()]
    return lines


def _rest(report: Report) -> RenderableType:
    """What --verbose shows, and where to read on."""
    more = len(report.evidence.prompts) - 1
    ran = report.comparisons or report.task_comparisons
    what = [f"{more} more prompt{'s' if more > 1 else ''}"] if more and ran else []
    first = next(iter(findings.sort_out(report)[0]), None)
    why = f"; why: padcheck explain {first.code}" if first is not None else ""
    return Group(Text(), Text(f"{', '.join([*what, 'probes', 'rounding', 'advice'])}: -v{why}", style="dim"))


def _rule(title: str) -> Rule:
    return Rule(Text(title, style="bold", overflow="ellipsis", no_wrap=True), align="left", style="dim")


def _height(lines: Iterable[Text], console: Console) -> int:
    """The number of lines on the screen, which breaks lines that are wider."""
    return sum(max(1, -(-line.cell_len // console.width)) for line in lines)
