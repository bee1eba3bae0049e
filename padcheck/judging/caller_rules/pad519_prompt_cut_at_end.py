"""PAD519: A prompt is cut at its end, which the model should continue."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class PromptCutAtEnd(CallerRule):
    """A prompt is cut at its end, which the model should continue.

    Why it matters:
        A tokenizer with truncation cuts on its truncation_side, which is mostly right. The end of a prompt
        holds the question, and the header of the answer.

    How padcheck knows:
        The tokenizer reported tokens that it cut from the end of a row, and generate() continues that row. The
        next-token logits of the whole prompt, which runs alone, differ.

    Wrong:
        batch = tokenizer(prompts, truncation=True, max_length=512, ...)
        model.generate(**batch)

    Right:
        tokenizer.truncation_side = "left"
        batch = tokenizer(prompts, truncation=True, max_length=512, ...)
        model.generate(**batch)

    References:
        vllm-project/vllm#3144
    """

    code = "PAD519"
    name = "prompt-cut-at-end"
    severity = Severity.WARNING
    message = (
        "{rows} prompts lost tokens at their end, up to {tokens} of them: their next-token logits move by up to "
        "{max_abs_diff:.2g}."
    )
    fix = 'tokenizer.truncation_side = "left", or a larger max_length'
