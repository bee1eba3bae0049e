"""PAD506: The attention_mask does not cover the tokens in the cache."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class MaskWithoutCache(CallerRule):
    """The attention_mask does not cover the tokens in the cache.

    Why it matters:
        A call with past_key_values needs a mask over all columns: those in the cache and the new ones.
        Otherwise the new tokens read the pads in the cache.

    How padcheck knows:
        The rows run again, alone and without a cache. They differ from the call by more than rounding, and the
        whole batch in one call with its mask does not.

    Wrong:
        model(next_ids, past_key_values=cache)

    Right:
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        model(next_ids, past_key_values=cache, attention_mask=mask)
    """

    code = "PAD506"
    name = "mask-without-cache"
    severity = Severity.ERROR
    message = (
        "The cache holds pads, and the attention_mask does not cover it: the output differs from that of the same"
        " rows alone by up to {max_abs_diff:.2g}, and rounding explains at most {allowed:.2g}."
    )
    fix = "append ones for the new tokens to the mask, and pass the whole mask in each step"
