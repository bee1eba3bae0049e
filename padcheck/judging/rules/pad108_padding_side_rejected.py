"""PAD108: The tokenizer's custom code does not accept `padding_side`, or fails to pad."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class PaddingSideRejected(Rule):
    """The tokenizer's custom code does not accept `padding_side`, or fails to pad.

    Why it matters:
        Since 4.45 transformers passes padding_side to `_pad`. A tokenizer with custom code that does not know the
        argument raises `_pad() got an unexpected keyword argument 'padding_side'` for every padded batch. Some
        tokenizers refuse one of the sides.

    How padcheck knows:
        The tokenizer was asked to pad the prompts on each side, and raised.

    Fix:
        Update the repository's tokenizer code, or add `padding_side=None` to its `_pad`.

    References:
        zai-org/GLM-4#577, zai-org/ChatGLM3#1324
    """

    code = "PAD108"
    name = "padding-side-rejected"
    severity = Severity.ERROR

    def decide(self, case: Case) -> Finding | None:
        """Fires if padding raised."""
        errors = {
            side: sample.error for side, sample in case.evidence.samples.items() if sample.error and case.use.pads(side)
        }
        if not errors:
            return None
        return self.found(
            f"Padding on the {' and on the '.join(errors)} raised: {next(iter(errors.values()))}",
            fix="def _pad(self, ..., padding_side=None):  # in the tokenizer's code"
            if any("padding_side" in error for error in errors.values())
            else f"# see what {case.evidence.tokenizer.class_name} needs to pad",
            errors=errors,
        )
