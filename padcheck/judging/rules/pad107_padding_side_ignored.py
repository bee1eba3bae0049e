"""PAD107: The tokenizer does not pad as asked."""

from padcheck.core.facts import PaddingSide
from padcheck.core.padding import pad_ids
from padcheck.core.run_results import Row
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Skipped
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class PaddingSideIgnored(Rule):
    """The tokenizer does not pad as asked.

    Why it matters:
        The caller asks for left padding and gets right padding without a warning. Tokenizers with custom code do this.

    How padcheck knows:
        The tokenizer pads the prompts on each side. The result must be what padding means: the same ids, with pads on
        that side, and zeros in the mask under the pads.

    Fix:
        Update the tokenizer's code, or pad by hand.

    References:
        CarperAI/trlx#474, huggingface/transformers#30447
    """

    code = "PAD107"
    name = "padding-side-ignored"
    severity = Severity.ERROR

    def decide(self, case: Case) -> Finding | Skipped | None:
        """Fires if a padded batch is not what its side means."""
        tokenizer, samples = case.evidence.tokenizer, case.evidence.samples
        if all(sample.error for sample in samples.values()):
            return self.skip("undecided: the tokenizer raised on both sides")
        wrong = {
            side: row.prompt_index
            for side, sample in samples.items()
            if case.use.pads(side)
            for row in sample.rows
            if not _is_padded(row, case.evidence.num_prompt_tokens, tokenizer.pad_token_used_id, side)
        }
        if not wrong:
            return None
        sides = " and ".join(wrong)
        return self.found(
            f"Asked to pad on the {sides}, the tokenizer ({tokenizer.class_name}) did something else.",
            fix=f"# {tokenizer.class_name}._pad() must honour padding_side; until then pad the ids by hand",
            wrong_row_by_side=wrong,
        )


def _is_padded(row: Row, num_prompt_tokens: tuple[int, ...], pad_token_id: int, side: PaddingSide) -> bool:
    real = tuple(token_id for token_id, kept in zip(row.input_ids, row.attention_mask, strict=True) if kept)
    expected = pad_ids(real, len(row.input_ids), pad_token_id, side)
    return len(real) == num_prompt_tokens[row.prompt_index] and expected == (row.input_ids, row.attention_mask)
