"""PAD105."""

from padcheck.core.facts import SpecialTokenIds
from padcheck.core.report import Finding
from padcheck.core.severity import Severity
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
        Set all three to the tokenizer's ids.

    References:
        meta-llama/llama-cookbook#640, axolotl-ai-cloud/axolotl#801, huggingface/transformers#34055
    """

    code = "PAD105"
    name = "special-token-ids-disagree"
    severity = Severity.WARNING

    def decide(self, case: Case) -> Finding | None:
        """Puts every disagreement into one finding."""
        ids = case.evidence.special_token_ids
        disagreements = [*_pad(ids), *_eos(ids), *_bos(ids)]
        if not disagreements:
            return None
        only_bos = all(text.startswith("bos") for text, _ in disagreements)
        return self.found(
            "The special tokens disagree: " + "; ".join(text for text, _ in disagreements) + ".",
            severity=Severity.INFO if only_bos else self.severity,
            fix="\n".join(dict.fromkeys(line for _, line in disagreements)),
            disagreements=[text for text, _ in disagreements],
        )


def _pad(ids: SpecialTokenIds) -> list[tuple[str, str]]:
    places = {"config": ids.config.pad, "generation_config": ids.generation_config.pad}
    found = []
    for place, pad in places.items():
        tokenizer_names_none = ids.tokenizer.pad is None and place == "generation_config"
        if pad is not None and pad != ids.tokenizer.pad and (ids.tokenizer.pad is not None or tokenizer_names_none):
            named = "None" if ids.tokenizer.pad is None else ids.tokenizer.pad
            found.append(
                (
                    f"pad is {named} in tokenizer, {pad} in {place}",
                    f"model.{place}.pad_token_id = tokenizer.pad_token_id",
                )
            )
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
