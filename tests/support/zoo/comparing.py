"""Runs padcheck on a model in memory."""

import builders
from transformers import PreTrainedModel

from padcheck.core.progress import Silent
from padcheck.core.report import Report
from padcheck.core.settings import JudgeSettings, MeasureSettings
from padcheck.hf.library.config_facts import max_position_embeddings, num_layers, position_encoding
from padcheck.hf.library.versions import MASKS_PACKED_PROMPTS
from padcheck.hf.runs.in_batches import run_in_batches
from padcheck.hf.tokenizer.encoding import encode_prompts, render_prompts, tokenizer_samples
from padcheck.hf.tokenizer.pad_tokens import choose_pad_token
from padcheck.judging.judge import judge
from zoo.families import PROMPTS, tokenizer

_AVAILABLE = {
    "left_other_attention": hasattr(PreTrainedModel, "set_attn_implementation"),
    "packed": MASKS_PACKED_PROMPTS,
}
UNAVAILABLE = {name for name, is_available in _AVAILABLE.items() if not is_available}
"""The runs that the installed transformers cannot do: before 4.54 a loaded model cannot change its attention."""

Encoded = tuple[tuple[int, ...], ...]


def compare(model: PreTrainedModel, encoded: Encoded | None = None, **settings: object) -> Report:
    """The report on these token ids. By default they are those of PROMPTS, and the tokenizer pads them too."""
    words = tokenizer()
    measure = MeasureSettings(**{"max_new_tokens": 3, "batch_size": 16} | settings)
    rendered, pad_token = render_prompts(words, PROMPTS, chat=False), choose_pad_token(words, None)
    samples = tokenizer_samples(words, rendered, pad_token) if encoded is None else {}
    encoded = encoded or encode_prompts(words, rendered)
    measured = run_in_batches(model, words, encoded, pad_token, settings=measure, progress=Silent())
    facts = builders.model_facts(
        model_type=model.config.model_type,
        position_encoding=position_encoding(model.config),
        max_position_embeddings=max_position_embeddings(model.config),
        num_layers=num_layers(model.config),
        dtype=str(model.dtype).removeprefix("torch."),
        attn_implementation=model.config._attn_implementation,
    )
    evidence = builders.evidence(
        model=facts,
        prompts=tuple(map(str, encoded)),
        num_prompt_tokens=tuple(map(len, encoded)),
        max_new_tokens=measure.max_new_tokens,
        modes=measure.modes,
        samples=samples,
        **vars(measured),
    )
    return judge("compare", evidence, JudgeSettings())
