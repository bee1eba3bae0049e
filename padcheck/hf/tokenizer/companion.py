"""Adds a companion to prompts of one length: they need no pads, so nothing about padding could be measured."""

from collections.abc import Iterable

from transformers import PreTrainedTokenizerBase

from padcheck.core.errors import PadcheckError
from padcheck.core.settings import Prompt
from padcheck.hf.tokenizer.encoding import EncodedPrompts, encode_prompts, render_and_encode, render_prompts
from padcheck.hf.tokenizer.pad_tokens import PadToken


def encode_with_companion(
    tokenizer: PreTrainedTokenizerBase,
    prompts: tuple[Prompt, ...],
    others: tuple[str, ...],
    pad_token: PadToken,
    *,
    chat: bool,
    longest: int | None,
) -> tuple[EncodedPrompts, int | None]:
    """The encoded prompts, and the number of the prompt that was added to them; None if none was.

    Args:
        tokenizer: Encodes the prompts.
        prompts: The prompts to run.
        others: Prompts that suit the model; the companion is one of them, or is made from one.
        pad_token: The pad token of the samples.
        chat: True if the chat template is applied to each prompt.
        longest: The most tokens that a companion may have; None if there is no limit.

    Raises:
        PadcheckError: A prompt cannot be rendered or encoded.
        Exception: Whatever the tokenizer raises.
    """
    encoded = render_and_encode(tokenizer, prompts, pad_token, chat=chat)
    lengths = {len(input_ids) for input_ids in encoded.input_ids}
    if len(lengths) > 1:
        return encoded, None
    chat = chat or any(not isinstance(prompt, str) for prompt in prompts)
    companion = _companion(tokenizer, prompts[0], others, max(lengths), chat=chat, longest=longest)
    if companion is None:
        return encoded, None
    return render_and_encode(tokenizer, (*prompts, companion), pad_token, chat=chat), len(prompts)


def _companion(
    tokenizer: PreTrainedTokenizerBase,
    prompt: Prompt,
    others: tuple[str, ...],
    length: int,
    *,
    chat: bool,
    longest: int | None,
) -> str | None:
    """A longer prompt, so that the others get pads: another one, or the prompt and another one. Else a shorter one."""

    def by_length(candidates: Iterable[str]) -> dict[int, str]:
        found: dict[int, str] = {}
        for candidate in candidates:
            try:
                [input_ids] = encode_prompts(tokenizer, render_prompts(tokenizer, (candidate,), chat=chat))
            except PadcheckError:
                continue
            if longest is None or len(input_ids) <= longest:
                found.setdefault(len(input_ids), candidate)
        return found

    natural = by_length(others)
    joined = by_length(f"{prompt} {other}" for other in others if isinstance(prompt, str))
    for found in (natural, joined):
        if max(found, default=0) > length:
            return found[max(found)]
    return natural[min(natural)] if min(natural, default=length) < length else None
