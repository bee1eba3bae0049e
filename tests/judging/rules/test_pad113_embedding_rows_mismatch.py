import pytest
from builders import ask, finding, model_facts, tokenizer_facts

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad113_embedding_rows_mismatch import EmbeddingRowsMismatch


def test_too_few_rows_are_an_error() -> None:
    found = finding(EmbeddingRowsMismatch(), model=model_facts(embedding_rows=97))
    assert found.severity is Severity.ERROR
    assert "ids up to 99, the embedding table has 97 rows: 3 tokens have no embedding" in found.message
    assert found.evidence == {"embedding_rows": 97, "max_token_id": 99}
    assert found.fix == "model.resize_token_embeddings(len(tokenizer))"


def test_more_rows_are_an_info_that_warns_of_resizing() -> None:
    found = finding(EmbeddingRowsMismatch(), model=model_facts(embedding_rows=128))
    assert found.severity is Severity.INFO
    assert "128 rows for 100 tokens" in found.message
    assert found.evidence == {"embedding_rows": 128, "max_token_id": 99}
    assert found.fix.startswith("#")


@pytest.mark.parametrize("embedding_rows", [100, None], ids=["a row for each token", "unknown"])
def test_silent_if_nothing_is_amiss(embedding_rows: int | None) -> None:
    assert ask(EmbeddingRowsMismatch(), model=model_facts(embedding_rows=embedding_rows)) is None


def test_what_counts_is_the_highest_id_and_not_the_size_of_a_vocabulary_with_gaps() -> None:
    assert ask(EmbeddingRowsMismatch(), tokenizer=tokenizer_facts(vocab_size=90, max_token_id=99)) is None
