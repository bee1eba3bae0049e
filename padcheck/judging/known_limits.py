"""Architectures that cannot be padded on the left by design, as upstream's skipped tests or their code show.

The reasons were read in the tests and sources of transformers 5.23.0; see also huggingface/transformers#22322.
"""

from typing import NamedTuple

from padcheck.core.facts import PaddingSide


class Limit(NamedTuple):
    """Why left padding cannot be right, and the side to use instead; None if neither side works."""

    reason: str
    instead: PaddingSide | None


_POOLS_BEFORE_THE_MASK = "it pools windows of slots before the mask is applied, so pads are folded into real entries"
_BLOCKS_OF_SLOTS = "its blocks are anchored to absolute slots"
_TOP_K = "its hard top-k selection of tokens flips when the prompt is shifted"
_TIES = "equal tokens tie in its hard top-k selection, and which of them it keeps depends on their slots"
_NOT_SUPPORTED = "left padding is not supported, and upstream does not plan to"
_CUT_FROM_ENCODER_DECODER = "it is cut from an encoder-decoder, whose decoder counts positions by slot"

KNOWN_LIMITS: dict[str, Limit] = {
    "rwkv": Limit("it takes an attention_mask and does not read it", None),
    "deepseek_v4": Limit(_POOLS_BEFORE_THE_MASK, None),
    "minimax_m3_vl": Limit(_BLOCKS_OF_SLOTS, "right"),
    "minimax_m3_vl_text": Limit(_BLOCKS_OF_SLOTS, "right"),
    "glm_moe_dsa": Limit(_TOP_K, None),
    "deepseek_v32": Limit(_TOP_K, None),
    "axk2": Limit(_TOP_K, None),
    "dots3_note": Limit(_TOP_K, None),
    "dots3_note_text": Limit(_TOP_K, None),
    "doge": Limit(_TIES, None),
    "recurrent_gemma": Limit("its recurrent state runs over the pads", None),
    "reformer": Limit(_NOT_SUPPORTED, None),
    "trocr": Limit(_NOT_SUPPORTED, "right"),
    **dict.fromkeys(
        ("bart", "bigbird_pegasus", "blenderbot", "blenderbot-small", "marian", "mbart", "mvp", "pegasus", "plbart"),
        Limit(_CUT_FROM_ENCODER_DECODER, "right"),
    ),
    "prophetnet": Limit(_CUT_FROM_ENCODER_DECODER, None),
    "whisper": Limit(_CUT_FROM_ENCODER_DECODER, "right"),
}
"""By model_type."""
