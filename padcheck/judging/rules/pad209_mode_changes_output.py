"""PAD209: Alone and unpadded, another mode of generate() gives other logits."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Skipped
from padcheck.judging.case import Case
from padcheck.judging.modes import ModeRule, WrongRows, asked_for, different, how_far_in, numbers


class ModeChangesOutput(ModeRule):
    """Alone and unpadded, another mode of generate() gives other logits.

    Why it matters:
        A static cache, a second turn on the same cache, a prompt read in chunks, inputs_embeds and assisted generation
        are other ways to the same tokens. If one of them changes the logits of a prompt without pads, the model's code
        is wrong in this mode, with padding and without. Nothing raises, and the text often looks right.

    How padcheck knows:
        With `--with`, each prompt runs alone in the mode and alone through plain generate(), and the logits differ
        beyond rounding. The mode no-cache is judged by PAD208: if it differs, the cache is at fault.

    Fix:
        Do not use the mode with this model until its code is fixed. If the second turn is wrong, start each turn from
        the whole text and a new cache.

    References:
        huggingface/transformers#28981, huggingface/transformers#29583
    """

    code = "PAD209"
    name = "mode-changes-output"
    severity = Severity.ERROR
    suppressed_by = ("PAD206",)
    tasks = ("generate",)

    def decide(self, case: Case) -> Finding | Skipped | None:
        """Fires if a prompt alone is different in a mode that was asked for."""
        wrong: WrongRows = {}
        for name, mode in asked_for(case):
            if name != "no-cache" and (rows := different(case, mode.alone)):
                wrong[name] = rows
        if not wrong:
            return None
        if case.wrong_alone():
            return self.skip("alone, generate() is already wrong with its usual cache, so it is no reference")
        return self.found(
            f"Alone and unpadded, generate() gives other logits in another mode. {how_far_in(wrong)}.",
            fix=f"# do not use {' or '.join(wrong)} with this model until its code is fixed",
            modes=numbers(wrong),
        )
