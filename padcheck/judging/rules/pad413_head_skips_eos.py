"""PAD413: The head does not read the eos that ends a text, because its id is the pad id."""

from padcheck.core.severity import Severity
from padcheck.core.task_evidence import TaskRow
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule


class HeadSkipsEos(TaskRule):
    """The head does not read the eos that ends a text, because its id is the pad id.

    Why it matters:
        A reward model is usually trained to score a text at the eos that ends it. If pad is eos, a head that looks for
        the last id that is not pad takes that eos for padding, and reads the token before it: in training and in use,
        and also if another program, which looks at the mask, reads the eos.

    How padcheck knows:
        Each text runs alone with eos at its end. The head, which otherwise reads the last token, reads an earlier one.

    Fix:
        Use a pad token that is not an eos, in tokenizer and config.

    References:
        RLHFlow/RLHF-Reward-Modeling#49, huggingface/transformers#23530
    """

    code = "PAD413"
    name = "head-skips-eos"
    severity = Severity.WARNING
    tasks = ("classify",)

    def about(self, task: TaskCase, case: Case) -> Finding | None:
        """Fires if a text that ends in eos is not read at that eos, and the config's pad id is the eos."""
        pad, eos = case.evidence.special_token_ids.config.pad, case.evidence.tokenizer.eos_token_id
        if pad is None or pad != eos:
            return None
        rows = list(task.with_columns("ends_in_eos").values())
        if not rows or not all(map(_is_before_the_end, rows)):
            return None
        better = case.evidence.tokenizer.pad_token_suggestion
        row = max(rows, key=lambda row: row.num_tokens)
        return self.found(
            f"The pad id {pad} is the eos. Of text {row.prompt_index} with eos at its end, the head reads token "
            f"{row.read_at_token[0]} ({row.read_tokens[0]!r}), and not the eos.",
            fix=f"tokenizer.pad_token = {'...' if better is None else repr(better.token)}  # a token that is no eos\n"
            "model.config.pad_token_id = tokenizer.pad_token_id",
            pad_token_id=pad,
            read_at=row.read_at,
        )


def _is_before_the_end(row: TaskRow) -> bool:
    """True if the head reads the token before the last one."""
    return row.read_at_token == (row.num_tokens - 2,)
