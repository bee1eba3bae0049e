"""PAD104: A pad id is negative or beyond the embedding table."""

from padcheck.core.evidence import Evidence
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging import pad_token_advice
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class PadTokenIdOutOfRange(Rule):
    """A pad id is negative or beyond the embedding table.

    Why it matters:
        Looking it up raises `index out of range in self` on a CPU, and a device-side assert on CUDA, after which the
        process cannot use the device any more. Both happen only when a batch really contains a pad. In some Llama
        configs -1 means "no padding".

    How padcheck knows:
        The id that this run pads with, and the pad ids of config and generation_config, are compared with the number of
        rows in the embedding table.

    Fix:
        Reuse a token that has a row. Resize the table only if the tokenizer really has more tokens than it.

    References:
        huggingface/transformers#25426, meta-llama/llama-cookbook#189, baichuan-inc/Baichuan-7B#14
    """

    code = "PAD104"
    name = "pad-token-id-out-of-range"
    severity = Severity.ERROR

    def decide(self, case: Case) -> Finding | None:
        """An error for the id that padding uses, a warning for an id that is only named in a config."""
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
            fix="\n".join(dict.fromkeys(line for place, pad in bad.items() for line in _fix(place, pad, evidence))),
            embedding_rows=rows,
            out_of_range=bad,
        )


def _fix(place: str, pad: int, evidence: Evidence) -> list[str]:
    if place != "tokenizer":
        return [pad_token_advice.aligned(place)]
    reuse, resize = "tokenizer.pad_token = tokenizer.eos_token", "model.resize_token_embeddings(len(tokenizer))"
    return pad_token_advice.suggested(evidence, otherwise=reuse if pad < 0 else resize).split("\n")
