"""Logits are read as they were added, from memory or from disk."""

import gc
from tempfile import SpooledTemporaryFile

import pytest
import torch

from padcheck.hf.calls import logits
from padcheck.hf.calls.logits import LogitsLog

BATCH, STEPS, VOCAB = 3, 5, 7


def filled(dtype=torch.float32) -> tuple[LogitsLog, torch.Tensor]:
    added = torch.randn(STEPS, BATCH, VOCAB, generator=torch.Generator().manual_seed(0)).to(dtype)
    log = LogitsLog(BATCH)
    for step in added:
        log.add(step)
    return log, added


@pytest.mark.parametrize("in_memory", [0, 100, 2**20], ids=["disk", "memory, then disk", "memory"])
@pytest.mark.parametrize("block", [1, 2 * VOCAB, 2**20])
def test_each_row_reads_as_it_was_added(in_memory, block, monkeypatch):
    monkeypatch.setattr(logits, "_MAX_BYTES_IN_MEMORY", in_memory or 1)
    monkeypatch.setattr(logits, "_BLOCK_SIZE", block)
    log, added = filled()
    assert len(log) == STEPS
    for row in range(BATCH):
        read = log.row(row, STEPS)
        assert torch.equal(torch.cat(list(read.blocks())), added[:, row])
        assert torch.equal(read.whole(), added[:, row])
        assert torch.equal(read.first(2).whole(), added[:2, row])
        assert torch.equal(read.at(3), added[3, row])
        assert read.argmax() == tuple(added[:, row].argmax(dim=-1).tolist())


def test_blocks_stay_below_the_size_limit(monkeypatch):
    monkeypatch.setattr(logits, "_BLOCK_SIZE", 2 * VOCAB + 1)
    assert [len(block) for block in filled()[0].row(1, STEPS).blocks()] == [2, 2, 1]


def test_several_steps_of_one_row_can_be_added_at_once():
    log, added = LogitsLog(1), torch.randn(STEPS, VOCAB)
    log.add(added)
    assert torch.equal(log.row(0, STEPS).whole(), added)


def test_16_bit_logits_are_read_in_float32():
    log, added = filled(torch.bfloat16)
    assert torch.equal(log.row(2, STEPS).whole(), added[:, 2].float())


def test_the_file_is_closed_when_it_is_no_longer_in_use(monkeypatch):
    monkeypatch.setattr(logits, "_MAX_BYTES_IN_MEMORY", 1)
    log, _ = filled()
    file, row = log._file, log.row(0, STEPS)
    del log
    gc.collect()
    assert len(row.whole()) == STEPS
    del row
    gc.collect()
    assert file.closed


def test_a_full_disk_is_an_error_and_not_a_finding(padcheck, monkeypatch):
    class Full(SpooledTemporaryFile):
        def write(self, _written):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(logits, "SpooledTemporaryFile", Full)
    outcome = padcheck("compare", "demo", "--max-new-tokens", "2")
    assert (outcome.exit_code, outcome.stdout) == (3, "")
    assert "Cannot store the logits: No space left on device." in outcome.stderr
    assert "TMPDIR" in outcome.stderr
