"""What two other ways of checking find on the models of the zoo: `make others` writes the table of docs/comparison.md.

By hand: the texts of a left-padded batch are compared with those of its prompts alone. One forward(): 32 pads on the
left with position_ids, and the logits of the last token within 1e-5, as upstream's own test does.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import accuracy
import torch
from readme import DOCS, table, write_block
from transformers import PreTrainedModel
from transformers.utils import logging
from zoo import FAMILIES, FAULTS
from zoo.comparing import Encoded
from zoo.families import PAD

_NEW_TOKENS = 20
_NUM_PADS = 32
_CLOSE = 1e-5
_WEIGHTS = 2
"""How many models of each family are checked, each with its own weights and prompts."""

Check = Callable[[PreTrainedModel, Encoded], bool]


def texts_differ(model: PreTrainedModel, prompts: Encoded) -> bool:
    """True if a prompt in the left-padded batch continues with other tokens than alone."""
    width = max(map(len, prompts))
    batch = _generated(model, [(PAD,) * (width - len(prompt)) + prompt for prompt in prompts], list(map(len, prompts)))
    alone = [_generated(model, [prompt], [len(prompt)])[0] for prompt in prompts]
    return batch != alone


def logits_differ(model: PreTrainedModel, prompts: Encoded) -> bool:
    """True if 32 pads before the first prompt change the logits of its last token."""
    prompt = prompts[0]
    alone, padded = (_last_logits(model, num_pads, prompt) for num_pads in (0, _NUM_PADS))
    return not torch.allclose(alone, padded, rtol=_CLOSE, atol=_CLOSE)


CHECKS: dict[str, Check] = {"texts, by hand": texts_differ, "one forward()": logits_differ}


def _generated(model: PreTrainedModel, rows: list[tuple[int, ...]], lengths: list[int]) -> list[list[int]]:
    ids = torch.tensor(rows)
    mask = torch.tensor([[0] * (ids.shape[1] - length) + [1] * length for length in lengths])
    count = {"max_new_tokens": _NEW_TOKENS, "min_new_tokens": _NEW_TOKENS}
    output = model.generate(ids, attention_mask=mask, do_sample=False, pad_token_id=PAD, **count)
    return output[:, ids.shape[1] :].tolist()


def _last_logits(model: PreTrainedModel, num_pads: int, prompt: tuple[int, ...]) -> torch.Tensor:
    mask = torch.tensor([[0] * num_pads + [1] * len(prompt)])
    positions = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 1)
    ids = torch.tensor([[PAD] * num_pads + list(prompt)])
    output = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False)
    return output.logits[:, -1]


def _faulty(dtype: torch.dtype) -> Iterator[tuple[PreTrainedModel, Encoded]]:
    """Each planted fault that plain calls can show, with its prompts."""
    for fault in FAULTS:
        if dtype in fault.dtypes and fault.settings.keys() <= {"encoded", "max_new_tokens"}:
            yield fault.build(dtype).eval(), fault.settings.get("encoded", accuracy._prompts(0, 4, 12))


def _clean(dtype: torch.dtype) -> Iterator[tuple[PreTrainedModel, Encoded]]:
    for seed in range(_WEIGHTS):
        for build in FAMILIES.values():
            yield build(dtype, num_layers=8, seed=seed, std=0.05).eval(), accuracy._prompts(seed, 8, 33)


def _fires(check: Check, model: PreTrainedModel, prompts: Encoded) -> bool:
    """True if the check sees something. A model that raises an error counts as seen."""
    try:
        return check(model, prompts)
    except Exception:  # noqa: BLE001
        return True


def _counts(models: Callable[[torch.dtype], Iterator[Any]], dtype: torch.dtype) -> tuple[str, ...]:
    fired = [[_fires(check, model, prompts) for check in CHECKS.values()] for model, prompts in models(dtype)]
    return tuple(f"{sum(each)} of {len(fired)}" for each in zip(*fired, strict=True))


def main() -> None:
    """Writes the table."""
    logging.set_verbosity_error()
    rows = [
        (f"{what}, {str(dtype).removeprefix('torch.')}", *_counts(models, dtype))
        for what, models in (("planted faults found", _faulty), ("clean models called wrong", _clean))
        for dtype in (torch.float32, torch.bfloat16)
    ]
    text = table(("", *CHECKS), rows)
    sys.stdout.write(f"{text}\n")
    write_block(DOCS / "comparison.md", "others", text)


if __name__ == "__main__":
    with torch.inference_mode():
        main()
