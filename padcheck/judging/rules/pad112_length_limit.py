"""PAD112: Padded length plus new tokens exceeds the model's positions, or max_length counts the pads."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class LengthLimit(Rule):
    """Padded length plus new tokens exceeds the model's positions, or max_length counts the pads.

    Why it matters:
        Beyond a table of learned positions generate() raises `index out of range`. Beyond the length that rotary
        positions were trained for, quality drops. A max_length in generation_config counts prompt and pads: a short
        prompt gets fewer new tokens in a batch than alone.

    How padcheck knows:
        The longest prompt sets the width of the batch. The width plus the new tokens is compared with the number of
        positions in the config. generation_config is searched for max_length without max_new_tokens.

    Fix:
        Shorten the prompts, and ask for max_new_tokens.

    References:
        huggingface/transformers#19699, huggingface/transformers#11943
    """

    code = "PAD112"
    name = "length-limit"
    severity = Severity.INFO

    def decide(self, case: Case) -> Finding | None:
        """Too long is an error for learned positions, which crash, and a warning for others; max_length is an info."""
        evidence = case.evidence
        limit, width = evidence.model.max_position_embeddings, evidence.longest_given_prompt
        needed = width + evidence.max_new_tokens
        if limit is not None and needed > limit:
            learned = evidence.model.position_encoding == "learned"
            return self.found(
                f"The padded batch has {width} columns, and {needed} with {evidence.max_new_tokens} new tokens. "
                f"The model has {limit} positions.",
                severity=Severity.ERROR if learned else Severity.WARNING,
                fix="inputs = tokenizer(texts, padding=True, truncation=True, "
                f"max_length={max(limit - evidence.max_new_tokens, 1)})",
                width=width,
                max_new_tokens=evidence.max_new_tokens,
                max_position_embeddings=limit,
            )
        max_length = evidence.generation_config.get("max_length")
        if isinstance(max_length, int) and "max_new_tokens" not in evidence.generation_config:
            return self.found(
                f"generation_config sets max_length {max_length}, which counts the prompt and its pads: the padded "
                "rows of a batch get fewer new tokens than they would alone.",
                fix=f"model.generate(**inputs, max_new_tokens={evidence.max_new_tokens})",
                max_length=max_length,
            )
        return None
