"""How much memory a measurement needs in addition to the model: `make memory`.

The logits of one token are a megabyte here, so they must not be kept in memory: those of one batch would already reach
the limit.
"""

import argparse
import random
import sys
import threading
import time

import psutil
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from zoo import compare

from padcheck.hf.library.malloc import return_large_blocks

VOCAB_SIZE = 256_000
LENGTHS = (64, 60, 33, 17, 50, 64)
ALLOWED = 300


class Peak:
    """The peak memory of this process inside the context, in MiB, minus what it had before."""

    def __enter__(self) -> "Peak":
        self._process = psutil.Process()
        self._before = self._largest = self._process.memory_info().rss
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.003):
            self._largest = max(self._largest, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def mebibytes(self) -> float:
        """The increase."""
        return (self._largest - self._before) / 2**20


def beyond_the_model(num_prompts: int, max_new_tokens: int = 10) -> float:
    """MiB in addition to a small GPT-2 with a large vocabulary, in batches of 8 prompts of up to 64 tokens."""
    torch.manual_seed(0)
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=VOCAB_SIZE, bos_token_id=None, eos_token_id=None, **sizes)).eval()
    draw = random.Random(0)
    prompts = tuple(
        tuple(draw.randrange(4, VOCAB_SIZE) for _ in range(LENGTHS[index % len(LENGTHS)]))
        for index in range(num_prompts)
    )
    return_large_blocks()
    with Peak() as peak:
        report = compare(model, prompts, max_new_tokens=max_new_tokens, batch_size=8)
    assert report.status == "pass"
    return peak.mebibytes


def main() -> None:
    """Prints the result, and ends with 1 if it is too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=512)
    parser.add_argument("--max-new-tokens", type=int, default=10)
    options = parser.parse_args()
    began = time.perf_counter()
    taken = beyond_the_model(options.prompts, options.max_new_tokens)
    seconds = time.perf_counter() - began
    print(f"{options.prompts} prompts: {taken:.0f} MiB beyond the model, {ALLOWED} allowed; {seconds:.0f} s")
    sys.exit(taken > ALLOWED)


if __name__ == "__main__":
    main()
