"""PAD412: The head reads another token of a padded text than of the text alone."""

from padcheck.core.facts import PaddingSide
from padcheck.core.severity import Severity
from padcheck.core.task_evidence import TaskRow
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule, severity_on


class HeadReadsWrongToken(TaskRule):
    """The head reads another token of a padded text than of the text alone.

    Why it matters:
        A head pools one token: the last one, or the first one. Code that takes the last column, the first column, or
        the column before the first pad is right for a text alone and for one padding side. On the other side it reads a
        pad, and the result says nothing about the text.

    How padcheck knows:
        The output of the head has a gradient with respect to the hidden states of the last layer. Only the columns that
        the head reads have one. In the padded batch they belong to other tokens than in the text alone.

    Fix:
        Pad on the side on which the head reads the right token, or find the token by attention_mask.

    References:
        huggingface/transformers#30447, xiezijun714-lang/Echo#24
    """

    code = "PAD412"
    name = "head-reads-wrong-token"
    severity = Severity.ERROR
    suppressed_by = ("PAD411",)
    tasks = ("classify", "embed")

    def about(self, task: TaskCase, case: Case) -> Finding | None:
        """Fires if a side is wrong and a text is read elsewhere."""
        sides = [side for side in task.sides if case.use.pads(side) and task.harmed(side) and _misreads(task, side)]
        if not sides:
            return None
        side = sides[0]
        alone, padded = max(_misreads(task, side), key=lambda pair: pair[1].num_pad_tokens)
        other: PaddingSide = "right" if side == "left" else "left"
        return self.found(
            f"In the {side}-padded batch {_reader(task)} reads {_named(padded)} of text {padded.prompt_index}; "
            f"of the text alone it reads {_named(alone)}.",
            severity=severity_on(task, *sides),
            fix=f'tokenizer.padding_side = "{other}"  # before the texts are tokenized'
            if task.right_on(other)
            else "# in the head: last = attention_mask.shape[1] - 1 - attention_mask.flip(1).argmax(1)",
            sides=sides,
            read_at=padded.read_at,
            read_at_token=padded.read_at_token,
            read_at_token_alone=alone.read_at_token,
        )


def _misreads(task: TaskCase, side: PaddingSide) -> list[tuple[TaskRow, TaskRow]]:
    """The texts of which the head reads one token, and another one if they are padded."""
    return [(alone, row) for alone, row in task.misread(side) if row.read_at and len(row.read_at) == 1]


def _reader(task: TaskCase) -> str:
    return "the pooling" if task.evidence.name == "embed" else "the head"


def _named(row: TaskRow) -> str:
    """Such as `token 3 (' mat')`; `a pad (...)` for a pad."""
    [token], [text] = row.read_at_token, row.read_tokens
    return f"a pad ({text!r})" if token is None else f"token {token} ({text!r})"
