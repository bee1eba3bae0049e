"""Writes small models as GGUF files, in the same layout as llama.cpp's converter."""

import tempfile
from collections.abc import Container
from pathlib import Path

import model_folders as folders
import numpy as np
import torch
from gguf import MODEL_ARCH, GGMLQuantizationType, GGUFWriter, TokenType, get_tensor_name_map, quantize
from transformers import LlamaConfig, PreTrainedTokenizerFast

UNK_TOKEN = "<|endoftext|>"
"""transformers adds this token to a byte-level vocabulary that lacks it, with an id one past the embedding rows."""


def write_llama(
    path: Path,
    *,
    kind: GGMLQuantizationType = GGMLQuantizationType.Q8_0,
    architecture: str = "llama",
    with_tokenizer: bool = True,
    without: Container[str] = (),
) -> Path:
    """Writes the model and the tokenizer of `folders.tokenizer_json` to one file, and returns it.

    Args:
        path: The file.
        kind: How matrices are stored; vectors are float32.
        architecture: The architecture that the file names.
        with_tokenizer: Whether the keys tokenizer.ggml.* are written.
        without: Names of tensors to leave out.
    """
    config = folders.llama_config()
    writer = GGUFWriter(path, architecture)
    writer.add_name("a small llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_vocab_size(config.vocab_size)
    if with_tokenizer:
        _add_tokenizer(writer)
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, weight in folders.build_model(config).state_dict().items():
        stored_name = names.get_name(name, (".weight",))
        if stored_name not in without:
            _add_tensor(writer, stored_name, _permuted(name, weight, config).numpy(), kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: GGUFWriter) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folders.save_tokenizer(Path(folder)))
    vocab = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    special = {vocab.index(token) for token in tokenizer.all_special_tokens}
    vocab[folders.UNK] = UNK_TOKEN
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocab)
    writer.add_token_types([TokenType.CONTROL if index in special else TokenType.NORMAL for index in range(len(vocab))])
    writer.add_token_merges(folders.merges_of(tokenizer))
    writer.add_pad_token_id(folders.PAD)
    writer.add_bos_token_id(folders.BOS)
    writer.add_eos_token_id(folders.EOS)
    writer.add_unk_token_id(folders.UNK)


def _permuted(name: str, weight: torch.Tensor, config: LlamaConfig) -> torch.Tensor:
    """Queries and keys in llama.cpp's order of the rotary dimensions, (heads * head_dim, hidden_size)."""
    if "q_proj" not in name and "k_proj" not in name:
        return weight
    heads, (rows, columns) = config.num_attention_heads, weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _add_tensor(writer: GGUFWriter, name: str, weight: np.ndarray, kind: GGMLQuantizationType) -> None:
    stored_kind = kind if weight.ndim > 1 else GGMLQuantizationType.F32
    writer.add_tensor(name, quantize(np.ascontiguousarray(weight), stored_kind), raw_dtype=stored_kind)
