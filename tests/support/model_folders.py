"""Builds small model folders in every layout that occurs in practice, valid and broken.

Each builder fills an empty folder and returns it. The tokenizers are trained here on a few lines of text. The weights
are random, but large enough that every layer affects the output.
"""

import io
import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import load_file, save_file
from tokenizers import ByteLevelBPETokenizer, Regex
from tokenizers.normalizers import Replace
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    GPT2Config,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
)

Builder = Callable[[Path], Path]

PAD, BOS, EOS, UNK = range(4)
SPECIAL_TOKENS = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
SPECIAL_TOKEN_IDS = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}
VOCAB_SIZE = 320

_OWN_CODE = Path(__file__).parent / "own_code"
_TEXT = (
    "the big dog and the small cat sat on a mat and asked for a prompt",
    "unpadded prompts are short, padded prompts are as long as the longest one",
    "five tokens and three tokens make a batch of two rows",
    "jackdaws love my big sphinx of quartz; 0123456789 times!",
    "every row of the batch starts where its own prompt starts, and every position counts from there",
    "what stands before the first token of a row must not change what comes after its last one",
)


# Layouts that load


def tokenizer_json(folder: Path) -> Path:
    """tokenizer.json and model.safetensors: the usual layout today."""
    save_tokenizer(folder)
    return save_model(folder, llama_config())


def tokenizer_model(folder: Path) -> Path:
    """Only tokenizer.model, as Llama 2 was published."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_TEXT),
        model_writer=written,
        model_type="bpe",
        vocab_size=VOCAB_SIZE,
        byte_fallback=True,
        pad_id=PAD,
        bos_id=BOS,
        eos_id=EOS,
        unk_id=UNK,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(written.getvalue())
    settings = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "padding_side": "left"}
    write_json(folder / "tokenizer_config.json", {**settings, **SPECIAL_TOKENS})
    return save_model(folder, llama_config())


def vocab_and_merges(folder: Path) -> Path:
    """vocab.json and merges.txt without tokenizer_config.json, as GPT-2 was published."""
    _trained_bpe(["<|endoftext|>"]).save_model(str(folder))
    return save_model(folder, gpt2_config())


def sharded(folder: Path) -> Path:
    """model-0000n-of-0000m.safetensors and an index."""
    save_tokenizer(folder)
    return save_model(folder, llama_config(), max_shard_size="60KB")


def pytorch_bin(folder: Path) -> Path:
    """Pickled weights, as was usual before safetensors."""
    save_tokenizer(folder)
    save_model(folder, llama_config())
    (folder / "model.safetensors").unlink()
    torch.save(build_model(llama_config()).state_dict(), folder / "pytorch_model.bin")
    return folder


def base_checkpoint(folder: Path) -> Path:
    """Weights without the prefix `transformer.`, as GPT-2 was published."""
    vocab_and_merges(folder)
    build_model(gpt2_config()).base_model.save_pretrained(folder)
    return edit_json(folder / "config.json", architectures=["GPT2LMHeadModel"])


def own_model_code(folder: Path) -> Path:
    """An architecture with its Python code in the same folder."""
    tokenizer_json(folder)
    for name in ("configuration_pocket.py", "modeling_pocket.py"):
        shutil.copy(_OWN_CODE / name, folder)
    return edit_json(
        folder / "config.json",
        model_type="pocket",
        architectures=["PocketForCausalLM"],
        auto_map={
            "AutoConfig": "configuration_pocket.PocketConfig",
            "AutoModelForCausalLM": "modeling_pocket.PocketForCausalLM",
        },
    )


def own_tokenizer_code(folder: Path) -> Path:
    """A tokenizer with its Python code in the same folder; it pads on the side it is asked for."""
    return _letters(folder, "LettersTokenizer")


def tokenizer_that_rejects_the_side(folder: Path) -> Path:
    """Its `_pad` takes no `padding_side`."""
    return _letters(folder, "RejectingTokenizer")


def tokenizer_that_ignores_the_side(folder: Path) -> Path:
    """Its `_pad` always pads on the left."""
    return _letters(folder, "StubbornTokenizer")


def tokenizer_of_one_token(folder: Path) -> Path:
    """Its normalizer makes the same text of any text, so all prompts have the same length."""
    folder.mkdir(exist_ok=True)
    save_tokenizer(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.backend_tokenizer.normalizer = Replace(Regex(".+"), "a")
    tokenizer.save_pretrained(folder)
    return save_model(folder, llama_config())


def tokenizer_with_tokens_of_bytes(folder: Path) -> Path:
    """Its tokens are bytes, and its vocabulary leaves out the special tokens, as in the first Qwen and in Hunyuan."""
    shutil.copy(_OWN_CODE / "tokenization_bytes.py", folder)
    (folder / "bytes.tiktoken").write_text("", encoding="utf-8")
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "BytesTokenizer",
            "auto_map": {"AutoTokenizer": ["tokenization_bytes.BytesTokenizer", None]},
        },
    )
    return save_model(folder, llama_config(vocab_size=257, pad_token_id=None, bos_token_id=None, eos_token_id=256))


def chat_template_with_bos(folder: Path) -> Path:
    """The template writes bos, the tokenizer adds another, and each turn ends with eos, which is also the pad token."""
    save_tokenizer(folder, pad_token="</s>", chat_template="{{ bos_token }}" + _TURNS)
    return save_model(folder, llama_config(pad_token_id=EOS))


def chat_template_without_bos(folder: Path) -> Path:
    """The template leaves bos to the tokenizer, and the pad token is a separate token."""
    save_tokenizer(folder, chat_template=_TURNS)
    return save_model(folder, llama_config())


def tokenizer_alone(folder: Path) -> Path:
    """A tokenizer without a model."""
    return save_tokenizer(folder)


def chat_template_that_never_ends(folder: Path) -> Path:
    """Three nested loops, each as long as the sandbox of transformers allows."""
    loops = "".join(f"{{% for {name} in range(99999) %}}" for name in "abc")
    save_tokenizer(folder, chat_template=loops + "{% endfor %}" * 3)
    return save_model(folder, llama_config())


def chat_template_that_takes_all_memory(folder: Path) -> Path:
    """A short expression with a very long value."""
    save_tokenizer(folder, chat_template="{{ 'x' * 10**11 }}")
    return save_model(folder, llama_config())


def normalizer_that_takes_all_memory(folder: Path) -> Path:
    """Each step makes the text a thousand times as long."""
    return _growing_text(folder, steps=4)


def normalizer_that_makes_long_text(folder: Path) -> Path:
    """One such step: it ends, but a short prompt has thousands of tokens."""
    return _growing_text(folder, steps=1)


def tokenizer_that_panics(folder: Path) -> Path:
    """Its post-processor inserts a token that it does not define, which the Rust code does not expect."""
    template = [{"SpecialToken": {"id": "<nowhere>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    return edit_json(
        tokenizer_json(folder) / "tokenizer.json",
        post_processor={"type": "TemplateProcessing", "single": template, "pair": template, "special_tokens": {}},
    )


def padding_in_tokenizer_json(folder: Path) -> Path:
    """tokenizer.json saves the padding and the truncation that were set last."""
    tokenizer = _trained_bpe(list(SPECIAL_TOKENS.values()))
    tokenizer.enable_padding(direction="left", pad_id=PAD, pad_token="<pad>", length=24)
    tokenizer.enable_truncation(max_length=24)
    tokenizer_json(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def adapter(folder: Path) -> Path:
    """A PEFT adapter; its base model is in the folder next to it."""
    import peft

    base = _beside(folder, "base")
    tokenizer_json(base)
    model = AutoModelForCausalLM.from_pretrained(base)
    # The usual initialisation is zero; here the adapter must change the output.
    settings = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        peft.get_peft_model(model, settings).save_pretrained(folder)
    return folder


def quantized(folder: Path) -> Path:
    """Weights in LLM.int8, whose rows depend on their batch by construction."""
    tokenizer_json(folder)
    model = AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=BitsAndBytesConfig(load_in_8bit=True), device_map="cpu"
    )
    model.save_pretrained(folder)
    return folder


# Folders with something to find


def pad_token_without_row(folder: Path) -> Path:
    """The tokenizer has an added pad token, but the model has no row for it."""
    save_tokenizer(folder, pad_token="<added>")
    return save_model(folder, llama_config(pad_token_id=None))


def fewer_rows_than_tokens(folder: Path) -> Path:
    """The tokenizer of a larger model."""
    save_tokenizer(folder)
    return save_model(folder, llama_config(vocab_size=64))


# Folders that do not load


def adapter_without_a_base(folder: Path) -> Path:
    """It does not name its base model."""
    return edit_json(adapter(folder) / "adapter_config.json", base_model_name_or_path=None)


def adapter_that_is_no_json(folder: Path) -> Path:
    """adapter_config.json is cut off."""
    return _cut(adapter(folder) / "adapter_config.json")


def adapter_of_a_model_that_is_gone(folder: Path) -> Path:
    """Its base model was moved."""
    return edit_json(adapter(folder) / "adapter_config.json", base_model_name_or_path=str(folder / "gone"))


def adapter_of_an_adapter(folder: Path) -> Path:
    """Its base model is an adapter itself."""
    inner = _beside(folder, "inner")
    adapter(inner)
    return edit_json(adapter(folder) / "adapter_config.json", base_model_name_or_path=str(inner))


def adapter_whose_base_is_no_name(folder: Path) -> Path:
    """base_model_name_or_path holds a list."""
    return edit_json(adapter(folder) / "adapter_config.json", base_model_name_or_path=["a"])


def adapter_without_weights(folder: Path) -> Path:
    """Only its config was copied."""
    (adapter(folder) / "adapter_model.safetensors").unlink()
    return folder


def adapter_that_is_a_prompt(folder: Path) -> Path:
    """It was trained by prompt tuning."""
    return edit_json(adapter(folder) / "adapter_config.json", peft_type="PROMPT_TUNING")


def adapter_of_another_model(folder: Path) -> Path:
    """Its base model was replaced by one of another shape."""
    adapter(folder)
    save_model(_beside(folder, "base"), llama_config(hidden_size=64))
    return folder


def own_code_without_its_file(folder: Path) -> Path:
    """The Python code of the model was not copied."""
    return _without(own_model_code(folder), "modeling_pocket.py")


def own_code_that_needs_a_package(folder: Path) -> Path:
    """The Python code of the model imports a package that is not installed."""
    code = own_model_code(folder) / "modeling_pocket.py"
    code.write_text("import attention_of_the_future\n" + code.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def config_that_is_no_json(folder: Path) -> Path:
    """config.json was edited by hand."""
    tokenizer_json(folder)
    (folder / "config.json").write_text('{"model_type": "llama",', encoding="utf-8")
    return folder


def config_without_model_type(folder: Path) -> Path:
    """config.json names no model type."""
    tokenizer_json(folder)
    write_json(folder / "config.json", {"hidden_size": 32})
    return folder


def unknown_model_type(folder: Path) -> Path:
    """A model newer than this transformers, without its Python code."""
    return edit_json(tokenizer_json(folder) / "config.json", model_type="llama_of_the_future")


def without_config(folder: Path) -> Path:
    """config.json was not copied."""
    return _without(tokenizer_json(folder), "config.json")


def without_anything(folder: Path) -> Path:
    """An empty folder."""
    return folder


def without_tokenizer(folder: Path) -> Path:
    """The files of the tokenizer were not copied."""
    return save_model(folder, llama_config())


def gpt2_without_tokenizer(folder: Path) -> Path:
    """The same, for a tokenizer class that can be created without files."""
    return save_model(folder, gpt2_config())


def without_merges(folder: Path) -> Path:
    """vocab.json was copied, merges.txt was not."""
    return _without(vocab_and_merges(folder), "merges.txt")


def broken_tokenizer(folder: Path) -> Path:
    """tokenizer.json is cut off."""
    return _cut(tokenizer_json(folder) / "tokenizer.json")


def without_weights(folder: Path) -> Path:
    """The weights were not copied."""
    return _without(tokenizer_json(folder), "model.safetensors")


def truncated_weights(folder: Path) -> Path:
    """model.safetensors is cut off."""
    return _cut(tokenizer_json(folder) / "model.safetensors")


def truncated_pytorch_bin(folder: Path) -> Path:
    """pytorch_model.bin is cut off."""
    return _cut(pytorch_bin(folder) / "pytorch_model.bin")


def weights_that_are_a_pointer(folder: Path) -> Path:
    """The folder was cloned without Git LFS."""
    return _pointer(tokenizer_json(folder) / "model.safetensors")


def tokenizer_that_is_a_pointer(folder: Path) -> Path:
    """The same for tokenizer.model."""
    return _pointer(tokenizer_model(folder) / "tokenizer.model")


def config_that_is_a_pointer(folder: Path) -> Path:
    """The same, of config.json."""
    return _pointer(tokenizer_json(folder) / "config.json")


def without_a_shard(folder: Path) -> Path:
    """One of the shards was not copied."""
    return _without(sharded(folder), min(path.name for path in folder.glob("model-*.safetensors")))


def weights_of_another_shape(folder: Path) -> Path:
    """The weights of a wider model."""
    return edit_json(tokenizer_json(folder) / "config.json", intermediate_size=48)


def weights_with_gaps(folder: Path) -> Path:
    """The config says three layers, but the weights have two."""
    return edit_json(tokenizer_json(folder) / "config.json", num_hidden_layers=3)


def config_of_a_larger_model(folder: Path) -> Path:
    """The config has no sizes except that of the vocabulary, so that it describes a model of 7 billion parameters."""
    return write_json(tokenizer_json(folder) / "config.json", {"model_type": "llama", "vocab_size": VOCAB_SIZE})


def base_checkpoint_with_gaps(folder: Path) -> Path:
    """The same for weights without the prefix `transformer.`."""
    return edit_json(base_checkpoint(folder) / "config.json", n_layer=3)


def weights_of_another_name(folder: Path) -> Path:
    """Every weight has a name that this architecture does not know, like the weights of an adapter."""
    vocab_and_merges(folder)
    weights = load_file(folder / "model.safetensors")
    renamed = {f"base_model.{name}": weight for name, weight in weights.items()}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def encoder_decoder(folder: Path) -> Path:
    """T5."""
    save_tokenizer(folder)
    return write_json(folder / "config.json", {"model_type": "t5", "is_encoder_decoder": True})


def encoder_only(folder: Path) -> Path:
    """BERT."""
    save_tokenizer(folder)
    return write_json(folder / "config.json", {"model_type": "bert"})


# Parts of the builders

_TURNS = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def llama_config(**changes: Any) -> LlamaConfig:
    """Two layers with rotary positions."""
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    lively = {"initializer_range": 0.3}
    return LlamaConfig(**{"vocab_size": VOCAB_SIZE, **sizes, **lively, **SPECIAL_TOKEN_IDS, **changes})


def gpt2_config(**changes: Any) -> GPT2Config:
    """Two layers with 64 learned positions."""
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
    special = {"bos_token_id": 0, "eos_token_id": 0}
    return GPT2Config(**{"vocab_size": VOCAB_SIZE, **sizes, "initializer_range": 0.3, **special, **changes})


def build_model(config: PretrainedConfig) -> torch.nn.Module:
    """The model, with the same random weights every time."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return AutoModelForCausalLM.from_config(config)


def save_model(folder: Path, config: PretrainedConfig, **options: Any) -> Path:
    """Writes config.json, generation_config.json and the weights."""
    build_model(config).save_pretrained(folder, **options)
    return folder


def save_tokenizer(folder: Path, **settings: Any) -> Path:
    """Writes the files of a fast tokenizer that adds bos and pads on the left."""
    bpe = _trained_bpe(list(SPECIAL_TOKENS.values()))
    bpe.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", BOS)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer, **{**SPECIAL_TOKENS, "padding_side": "left", **settings}
    )
    tokenizer.save_pretrained(folder)
    return folder


def merges_of(tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """The merges of a BPE tokenizer, as `left right`; the tokenizers library writes them as text or as pairs."""
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]


def fingerprint(folder: Path) -> dict[str, str]:
    """A hash of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def edit_json(path: Path, **changes: Any) -> Path:
    """Changes some keys of a file, and returns its folder."""
    return write_json(path, json.loads(path.read_text(encoding="utf-8")) | changes)


def write_json(path: Path, content: dict[str, Any]) -> Path:
    """Writes a file, and returns its folder."""
    path.write_text(json.dumps(content), encoding="utf-8")
    return path.parent


def _trained_bpe(special_tokens: list[str]) -> ByteLevelBPETokenizer:
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(_TEXT, vocab_size=VOCAB_SIZE, special_tokens=special_tokens, show_progress=False)
    return bpe


def _growing_text(folder: Path, *, steps: int) -> Path:
    step = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 1000}
    return edit_json(
        tokenizer_json(folder) / "tokenizer.json", normalizer={"type": "Sequence", "normalizers": [step] * steps}
    )


def _letters(folder: Path, class_name: str) -> Path:
    shutil.copy(_OWN_CODE / "tokenization_letters.py", folder)
    tokens = (*SPECIAL_TOKENS.values(), *sorted(set("".join(_TEXT))))
    write_json(folder / "letters.json", {token: token_id for token_id, token in enumerate(tokens)})
    auto_map = {"AutoTokenizer": [f"tokenization_letters.{class_name}", None]}
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": class_name, "auto_map": auto_map, "padding_side": "left", **SPECIAL_TOKENS},
    )
    return save_model(folder, llama_config(vocab_size=len(tokens)))


def _beside(folder: Path, name: str) -> Path:
    other = folder.with_name(f"{folder.name}-{name}")
    other.mkdir(exist_ok=True)
    return other


def _without(folder: Path, name: str) -> Path:
    (folder / name).unlink()
    return folder


def _pointer(path: Path) -> Path:
    path.write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 123456\n", encoding="utf-8"
    )
    return path.parent


def _cut(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path.parent
