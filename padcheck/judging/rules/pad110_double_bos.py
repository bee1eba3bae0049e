"""PAD110: The chat template writes bos, and the tokenizer adds another."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class DoubleBos(Rule):
    """The chat template writes bos, and the tokenizer adds another.

    Why it matters:
        A conversation that is rendered to text and then tokenized starts with two bos tokens, which the model never saw
        in training.

    How padcheck knows:
        One message is rendered with the chat template and tokenized as text: the ids begin with bos twice.

    Fix:
        Let apply_chat_template tokenize, or tokenize with add_special_tokens=False.

    References:
        vllm-project/vllm#55288, abetlen/llama-cpp-python#1501
    """

    code = "PAD110"
    name = "double-bos"
    severity = Severity.WARNING

    def decide(self, case: Case) -> Finding | None:
        """Fires if there are two bos or more at the start."""
        template = case.evidence.tokenizer.chat_template
        if template is None or template.leading_bos < 2:  # noqa: PLR2004
            return None
        return self.found(
            f"A message rendered with the chat template and tokenized as text begins with {template.leading_bos} "
            "bos tokens.",
            fix="inputs = tokenizer(rendered, add_special_tokens=False)",
            leading_bos=template.leading_bos,
        )
