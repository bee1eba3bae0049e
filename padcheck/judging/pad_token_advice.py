"""What the rules about the pad token advise: a better token of the vocabulary, and the line that sets it."""

from padcheck.core.facts import TokenizerFacts


def reason(tokenizer: TokenizerFacts) -> str:
    """Why the suggested token is better, as a sentence to append; empty if no token is suggested."""
    suggestion = tokenizer.pad_token_suggestion
    if suggestion is None:
        return ""
    if suggestion.token_id == tokenizer.pad_token_used_id:
        return f" The vocabulary has nothing better: {suggestion.reason}."
    return f" Better: {suggestion.token!r}, since {suggestion.reason}."


def line(tokenizer: TokenizerFacts, otherwise: str) -> str:
    """The line that sets the suggested token; `otherwise` if no token is suggested."""
    suggestion = tokenizer.pad_token_suggestion
    if suggestion is None:
        return otherwise
    if suggestion.token == tokenizer.eos_token:
        return "tokenizer.pad_token = tokenizer.eos_token  # and always pass attention_mask"
    return f"tokenizer.pad_token = {suggestion.token!r}  # id {suggestion.token_id}"
