"""What the rules about the pad token advise: a better token of the vocabulary, and the lines that set it."""

from collections.abc import Iterator

from padcheck.core.evidence import Evidence
from padcheck.core.facts import TokenizerFacts

MASK_NOT_IDS = "mask = inputs['attention_mask']  # never input_ids != tokenizer.pad_token_id"
LABELS_BY_MASK = "labels = input_ids.masked_fill(attention_mask == 0, -100)  # by the mask, not by the pad id"


def reason(tokenizer: TokenizerFacts) -> str:
    """Why the suggested token is better, as a sentence to append; empty if no token is suggested."""
    suggestion = tokenizer.pad_token_suggestion
    if suggestion is None:
        return ""
    if suggestion.token_id == tokenizer.pad_token_used_id:
        return f" The vocabulary has nothing better: {suggestion.reason}."
    return f" Better: {suggestion.token!r}, since {suggestion.reason}."


def suggested(evidence: Evidence, otherwise: str) -> str:
    """The lines that set the suggested token everywhere; `otherwise` if no token is suggested."""
    tokenizer = evidence.tokenizer
    suggestion = tokenizer.pad_token_suggestion
    if suggestion is None:
        return otherwise
    line = f"tokenizer.pad_token = {suggestion.token!r}  # id {suggestion.token_id}"
    if suggestion.token == tokenizer.eos_token:
        line = "tokenizer.pad_token = tokenizer.eos_token  # and always pass attention_mask"
    return "\n".join((line, *_aligned(evidence, suggestion.token_id)))


def some(evidence: Evidence) -> str:
    """The lines that give a pad token to a tokenizer without one: the suggested one, or the one of this run."""
    used, used_id = evidence.tokenizer.pad_token_used, evidence.tokenizer.pad_token_used_id
    return suggested(evidence, "\n".join((f"tokenizer.pad_token = {used!r}", *_aligned(evidence, used_id))))


def aligned(place: str) -> str:
    """The line that gives config or generation_config the tokenizer's pad token."""
    return f"model.{place}.pad_token_id = tokenizer.pad_token_id"


def _aligned(evidence: Evidence, token_id: int) -> Iterator[str]:
    """For each place that names another pad token."""
    ids = evidence.special_token_ids
    for place, pad in (("config", ids.config.pad), ("generation_config", ids.generation_config.pad)):
        if pad not in (None, token_id):
            yield aligned(place)
