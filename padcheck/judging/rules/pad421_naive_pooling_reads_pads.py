"""PAD421: An index that ignores the mask pools a pad, or all pads."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule

_INDICES = {
    "last_column": ("[:, -1]", "last"),
    "mask_sum": ("[:, mask.sum(1) - 1]", "last"),
    "first_column": ("[:, 0]", "first"),
    "all_slots": (".mean(1)", "mean"),
}
"""Each index, and the cosine that shows what it gives."""


class NaivePoolingReadsPads(TaskRule):
    """An index that ignores the mask pools a pad, or all pads.

    Why it matters:
        `[:, -1]` is the last token only if pads are on the left, `mask.sum() - 1` only if they are on the right.
        `[:, 0]` is the first token only on the right, and `mean(1)` is right on neither side. Embeddings of short texts
        then say little about the text, and retrieval fails in silence.

    How padcheck knows:
        The hidden states of the padded batch are pooled by each index, and compared with the same pooling of the text
        alone. The finding names what is wrong on the side that the caller pads on.

    Fix:
        Pool by attention_mask.

    References:
        xiezijun714-lang/Echo#24, opensearch-project/ml-commons#4744
    """

    code = "PAD421"
    name = "naive-pooling-reads-pads"
    severity = Severity.INFO
    tasks = ("embed",)

    def about(self, task: TaskCase, case: Case) -> Finding | None:  # noqa: ARG002
        """Fires if an index is wrong on the caller's side, and pooling by the mask is right there."""
        if not task.right_on(task.side):
            return None
        wrong = {}
        for name, (index, part) in _INDICES.items():
            run = f"{task.side}_{name}"
            if any(row.num_pad_tokens for row in task.wrong(run)):
                cosines = [row.numbers.get(f"cos({part})") for row in task.evidence.runs[run].rows]
                wrong[index] = min((cosine for cosine in cosines if cosine is not None), default=None)
        if not wrong:
            return None
        said = ", ".join(
            f"hidden{index}" + ("" if cosine is None else f" (cosine down to {cosine:.2f})")
            for index, cosine in wrong.items()
        )
        return self.found(
            f"With padding on the {task.side} these give other embeddings than the texts alone: {said}.",
            fix="last = mask.shape[1] - 1 - mask.flip(1).argmax(1); embeddings = hidden[range(len(hidden)), last]\n"
            "embeddings = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)  # the mean",
            side=task.side,
            smallest_cosine=wrong,
        )
