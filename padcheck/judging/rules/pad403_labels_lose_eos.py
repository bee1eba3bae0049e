"""PAD403: The usual collator drops eos from the labels of this tokenizer."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Skipped
from padcheck.judging import pad_token_advice
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class LabelsLoseEos(Rule):
    """The usual collator drops eos from the labels of this tokenizer.

    Why it matters:
        DataCollatorForLanguageModeling writes -100 wherever a label equals the pad id. If pad is eos, the eos that ends
        a text is also left out of the loss, and the fine-tuned model never learns to stop.

    How padcheck knows:
        The real collator makes labels from the first prompt followed by eos, with the pad token that this run used. The
        label of that eos is -100.

    Fix:
        Train with a pad token that is not an eos, or mask the labels by attention_mask.

    References:
        huggingface/transformers#23530, huggingface/trl#976, unslothai/unsloth#416
    """

    code = "PAD403"
    name = "labels-lose-eos"
    severity = Severity.WARNING
    suppressed_by = ("PAD102", "PAD445")
    tasks = ("train",)

    def decide(self, case: Case) -> Finding | Skipped | None:
        """Fires if the label of a text's eos is ignored."""
        evidence = case.evidence
        if evidence.labels_keep_eos is None:
            return self.skip(
                "undecided: no labels were made (only the tokenizer was inspected, it has no eos, or it cannot pad)"
            )
        if evidence.labels_keep_eos:
            return None
        pad = evidence.tokenizer.pad_token_used
        return self.found(
            f"Padding with {pad!r}, DataCollatorForLanguageModeling leaves the eos that ends a text out of the labels: "
            "a fine-tuned model never learns to stop.",
            fix=pad_token_advice.LABELS_BY_MASK,
            pad_token_id=evidence.tokenizer.pad_token_used_id,
        )
