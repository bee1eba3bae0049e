"""PAD113: The model has fewer, or more, embedding rows than the tokenizer has tokens."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class EmbeddingRowsMismatch(Rule):
    """The model has fewer, or more, embedding rows than the tokenizer has tokens.

    Why it matters:
        If there are fewer rows, an id has no embedding: `index out of range`, or a device-side assert. More rows are
        common, because tables are rounded up. But resize_token_embeddings(len(tokenizer)) would then shrink the table
        and break the checkpoint.

    How padcheck knows:
        The highest id of the vocabulary is compared with the number of rows in the embedding table (from the config, if
        no weights are loaded).

    Fix:
        Fewer rows: resize up, or use the tokenizer of this model. More rows: leave them.

    References:
        QwenLM/Qwen3#29, meta-llama/llama-cookbook#189, huggingface/transformers#20043
    """

    code = "PAD113"
    name = "embedding-rows-mismatch"
    severity = Severity.INFO

    def decide(self, case: Case) -> Finding | None:
        """Too few rows are an error, too many are an info."""
        rows, needed = case.evidence.model.embedding_rows, case.evidence.tokenizer.max_token_id + 1
        if rows is None or rows == needed:
            return None
        if rows < needed:
            return self.found(
                f"The tokenizer has ids up to {needed - 1}, the embedding table has {rows} rows: "
                f"{needed - rows} token{'s have' if needed - rows > 1 else ' has'} no embedding.",
                severity=Severity.ERROR,
                fix="model.resize_token_embeddings(len(tokenizer))",
                embedding_rows=rows,
                max_token_id=needed - 1,
            )
        return self.found(
            f"The embedding table has {rows} rows for {needed} tokens; the table was rounded up.",
            fix="# leave it as it is: model.resize_token_embeddings(len(tokenizer)) would shrink the table",
            embedding_rows=rows,
            max_token_id=needed - 1,
        )
