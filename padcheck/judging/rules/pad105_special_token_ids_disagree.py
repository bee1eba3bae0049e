"""PAD105: Tokenizer, config and generation_config name different special tokens."""

from padcheck.core.evidence import Evidence
from padcheck.core.facts import SpecialTokenIds
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging import pad_token_advice
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class SpecialTokenIdsDisagree(Rule):
    """Tokenizer, config and generation_config name different special tokens.

    Why it matters:
        generate() stops at the eos of generation_config, not at the tokenizer's, and looks for the pad id of
        generation_config when no mask is passed. Heads and collators read the config. If they disagree, a model runs
        past its end, or pads are taken for text.

    How padcheck knows:
        The ids of the three places are compared. A list of eos ids that contains the tokenizer's eos is normal for a
        chat model. A place that names nothing is normal too. A pad id in generation_config is reported if the tokenizer
        has none.

    Fix:
        Set all three to the tokenizer's ids. A tokenizer without a pad token gets one first.

    References:
        meta-llama/llama-cookbook#640, axolotl-ai-cloud/axolotl#801, huggingface/transformers#34055
    """

    code = "PAD105"
    name = "special-token-ids-disagree"
    severity = Severity.WARNING

    def decide(self, case: Case) -> Finding | None:
        """Puts every disagreement into one finding."""
        ids = case.evidence.special_token_ids
        disagreements = [*_pad(case.evidence), *_eos(ids), *_bos(ids)]
        if not disagreements:
            return None
        only_bos = all(text.startswith("bos") for text, _ in disagreements)
        return self.found(
            "The special tokens disagree: " + "; ".join(text for text, _ in disagreements) + ".",
            severity=Severity.INFO if only_bos else self.severity,
            fix="\n".join(dict.fromkeys(line for _, lines in disagreements for line in lines.split("\n"))),
            disagreements=[text for text, _ in disagreements],
        )


def _pad(evidence: Evidence) -> list[tuple[str, str]]:
    ids, found = evidence.special_token_ids, []
    for place, pad in (("config", ids.config.pad), ("generation_config", ids.generation_config.pad)):
        says = f"pad is {ids.tokenizer.pad} in tokenizer, {pad} in {place}"
        if pad is None or pad == ids.tokenizer.pad:
            continue
        if ids.tokenizer.pad is not None:
            found.append((says, pad_token_advice.aligned(place)))
        elif place == "generation_config":
            # The tokenizer must get a pad token; the others then name the same one.
            found.append((says, pad_token_advice.some(evidence)))
    return found


def _eos(ids: SpecialTokenIds) -> list[tuple[str, str]]:
    stops = ids.generation_config.eos if ids.generation_config.eos is not None else ids.config.eos
    missing = [token_id for token_id in ids.tokenizer.eos or () if stops is not None and token_id not in stops]
    return [
        (
            f"generate() stops at {list(stops or ())} and not at the tokenizer's eos {token_id}",
            f"model.generation_config.eos_token_id = {[*(stops or ()), token_id]}",
        )
        for token_id in missing
    ]


def _bos(ids: SpecialTokenIds) -> list[tuple[str, str]]:
    places = {"config": ids.config.bos, "generation_config": ids.generation_config.bos}
    return [
        (
            f"bos is {ids.tokenizer.bos} in tokenizer, {bos} in {place}",
            f"model.{place}.bos_token_id = tokenizer.bos_token_id",
        )
        for place, bos in places.items()
        if None not in (bos, ids.tokenizer.bos) and bos != ids.tokenizer.bos
    ]
