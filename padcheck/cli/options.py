"""The options about what is measured, with their help texts. Names follow the arguments of transformers.

No option has a default here: the default comes from the settings or from a configuration file.
"""

from typing import Annotated

import typer

from padcheck.cli.choices import Side, Task
from padcheck.core.run_plans import MODES


def _modes(incomplete: str) -> list[str]:
    """Shell completion of a mode."""
    return [name for name in (*MODES, "all") if name.startswith(incomplete)]


Model = Annotated[
    str,
    typer.Argument(help="Hub id, folder, GGUF file, or `demo`: a small model inside the package.", metavar="MODEL"),
]
Models = Annotated[
    list[str] | None,
    typer.Argument(
        help="Hub ids, folders, GGUF files, or `demo`. (default: the models that the file lists)",
        metavar="MODEL",
        show_default=False,
    ),
]
ModelTypes = Annotated[
    list[str] | None,
    typer.Argument(help="Model types, such as llama. (default: all)", metavar="MODEL_TYPE", show_default=False),
]
Revision = Annotated[
    str | None, typer.Option("--revision", metavar="NAME", help="Branch, tag or commit on the hub. (default: main)")
]
GgufFile = Annotated[
    str | None,
    typer.Option(
        "--gguf-file",
        metavar="NAME",
        help="GGUF file in the folder or repository. It holds config, tokenizer and weights.",
    ),
]
Adapter = Annotated[
    str | None,
    typer.Option("--adapter", metavar="NAME", help="Hub id or folder of a PEFT adapter to add to the model."),
]
Tokenizer = Annotated[
    str | None,
    typer.Option("--tokenizer", metavar="MODEL", help="Hub id or folder of the tokenizer. (default: the model's)"),
]
TrustRemoteCode = Annotated[
    bool | None, typer.Option("--trust-remote-code", help="Run Python code that comes with the model.")
]
Dtype = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        metavar="NAME",
        help="Dtype of the weights: float32 (fp32), bfloat16 (bf16), float16 (fp16) or auto. "
        "(default: float32 on a CPU, otherwise auto)",
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="Where to run: cpu, cuda, cuda:1, mps, xpu, ... (default: an accelerator if there is one)",
    ),
]
DeviceMap = Annotated[
    str | None,
    typer.Option(
        "--device-map",
        metavar="NAME",
        help="Spread the model over several devices: auto, or another device_map of transformers.",
    ),
]
TpPlan = Annotated[
    str | None,
    typer.Option(
        "--tp-plan", metavar="NAME", help="Split each layer over the processes of torchrun. The only value is auto."
    ),
]
AttnImplementation = Annotated[
    str | None,
    typer.Option(
        "--attn-implementation",
        metavar="NAME",
        help="eager, sdpa, flash_attention_2, ... `compare` also takes all: each in turn. (default: the model's)",
    ),
]
Against = Annotated[
    list[str] | None,
    typer.Option(
        "--against",
        metavar="OPTION=VALUE",
        help="Also run with another dtype, revision, adapter, device or attn-implementation, such as dtype=bfloat16, "
        "and show the runs side by side. Can be given several times.",
    ),
]
Tiny = Annotated[
    bool | None,
    typer.Option("--tiny", help="Build the architecture at toy size with random weights. No weights are downloaded."),
]

Prompt = Annotated[
    list[str] | None,
    typer.Option("--prompt", metavar="TEXT", help="A prompt. Can be given several times. (default: built-in prompts)"),
]
Prompts = Annotated[
    str | None,
    typer.Option(
        "--prompts",
        help='File with one prompt per line, JSONL with "prompt" or "messages", CSV, Parquet, or a dataset on disk. '
        "- is stdin.",
        metavar="FILE",
    ),
]
Column = Annotated[
    str | None,
    typer.Option(
        "--column",
        metavar="NAME",
        help="Column, or key, with the prompts. [default: prompt or messages]",
    ),
]
NumPrompts = Annotated[
    int | None,
    typer.Option("--num-prompts", metavar="N", min=1, help="Read only the first N prompts of the file. [default: all]"),
]
Continuations = Annotated[
    str | None,
    typer.Option(
        "--continuations",
        metavar="FILE",
        help='Score each line after each prompt, with --task score. "choices" in --prompts: for one prompt.',
    ),
]
Chat = Annotated[bool | None, typer.Option("--chat", help="Apply the chat template to each prompt.")]
PadToken = Annotated[
    str | None,
    typer.Option(
        "--pad-token",
        metavar="TOKEN",
        help="Pad with this token of the vocabulary. (default: the tokenizer's, otherwise eos or unk)",
    ),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option("--max-new-tokens", metavar="N", help="Tokens to generate per prompt. (default: 10; survey: 6)"),
]
DoSample = Annotated[
    bool | None,
    typer.Option(
        "--do-sample", help="Sample the tokens. All runs use the same random numbers, so they can be compared."
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", metavar="X", help="Sampling temperature, with --do-sample. (default: 1.0)"),
]
TopK = Annotated[
    int | None,
    typer.Option("--top-k", metavar="N", help="Sample from the N likeliest tokens, with --do-sample. (default: all)"),
]
TopP = Annotated[
    float | None,
    typer.Option(
        "--top-p",
        metavar="X",
        help="Sample from the likeliest tokens that together have probability X, with --do-sample. (default: all)",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", metavar="N", help="Seed for sampling, for probes and for the weights of a toy. (default: 0)"
    ),
]
BatchSize = Annotated[
    str | None,
    typer.Option(
        "--batch-size",
        metavar="N",
        help="Prompts per padded batch, or auto: as many as fit into memory, up to 64. (default: 8)",
    ),
]
Thorough = Annotated[
    bool | None, typer.Option("--thorough", help="Run every probe on every prompt, even if nothing differs.")
]

CrossLimits = Annotated[
    bool | None,
    typer.Option(
        "--cross-limits",
        help="Also run repeated text that passes every length at which the model changes what it does, if memory "
        "allows.",
    ),
]

WithModes = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        help="Also generate in these modes, alone and left-padded: static-cache, second-turn, no-cache, "
        "chunked-prefill, inputs-embeds, assisted, or all.",
        metavar="MODE[,MODE]",
        autocompletion=_modes,
    ),
]

Multimodal = Annotated[
    bool | None,
    typer.Option("--multimodal", help="Also check the language models of multimodal model types, on text only."),
]
SurveyedTasks = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        help="Also run each architecture as a classifier or an embedder, if transformers has such a class for it: "
        "classify or embed.",
        metavar="TASK[,TASK]",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", metavar="N", help="Processes to run at a time. (default: one per core, up to 8)"),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Run on this Ray cluster, one task per model: auto, local, HOST:PORT or ray://HOST:PORT.",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", help="Time limit for each model type, in seconds. (default: 120)"),
]
TaskOption = Annotated[
    Task | None,
    typer.Option(
        "--task",
        metavar="TASK",
        help="What your code does with the model: generate, score, train, classify or embed. Only this is judged. "
        "(default: the first three)",
    ),
]
PaddingSideOption = Annotated[
    Side | None,
    typer.Option("--padding-side", help="The side that your code pads on. Only this side is judged. (default: both)"),
]
