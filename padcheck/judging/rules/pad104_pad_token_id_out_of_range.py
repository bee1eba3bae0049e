"""PAD104."""

from padcheck.core.facts import TokenizerFacts
from padcheck.core.report import Finding
from padcheck.core.severity import Severity
from padcheck.judging import pad_token_advice
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class PadTokenIdOutOfRange(Rule):
    """A pad id is negative or past the embedding rows.

    Why it matters:
        Looking it up raises `index out of range in self` on a CPU and a device-side assert on CUDA, after which the
        process cannot use the device any more, and only when a batch really contains a pad. -1 stands for "no padding"
        in some Llama configs.

    How padcheck knows:
        The id that this run pads with, and those of config and generation_config, are held against the rows of the
        embedding table.

    Fix:
        Reuse a token that has a row. Resize only where the tokenizer really is larger than the table.

    References:
        huggingface/transformers#25426, meta-llama/llama-cookbook#189, baichuan-inc/Baichuan-7B#14
    """

    code = "PAD104"
    name = "pad-token-id-out-of-range"
    severity = Severity.ERROR

    def decide(self, case: Case) -> Finding | None:
        """An error for the id that pads are made of, a warning for one that only stands in a config."""
        evidence = case.evidence
        rows = evidence.model.embedding_rows
        ids = {
            "tokenizer": evidence.tokenizer.pad_token_used_id,
            "config": evidence.special_token_ids.config.pad,
            "generation_config": evidence.special_token_ids.generation_config.pad,
        }
        bad = {
            place: pad
            for place, pad in ids.items()
            if pad is not None and (pad < 0 or (rows is not None and pad >= rows))
        }
        if not bad:
            return None
        named = ", ".join(f"{place} {pad}" for place, pad in bad.items())
        return self.found(
            f"The pad id has no embedding row: {named}, while the table has "
            f"{rows if rows is not None else 'an unknown number of'} rows.",
            severity=self.severity if "tokenizer" in bad else Severity.WARNING,
            fix="\n".join(_fix(place, pad, evidence.tokenizer) for place, pad in bad.items()),
            embedding_rows=rows,
            out_of_range=bad,
        )


def _fix(place: str, pad: int, tokenizer: TokenizerFacts) -> str:
    if place != "tokenizer":
        return f"model.{place}.pad_token_id = tokenizer.pad_token_id"
    resize = "model.resize_token_embeddings(len(tokenizer))"
    return pad_token_advice.line(
        tokenizer, otherwise="tokenizer.pad_token = tokenizer.eos_token" if pad < 0 else resize
    )
