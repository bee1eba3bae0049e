"""The names of the modes: other ways to generate, which run only if they were asked for."""

from typing import Literal

ModeName = Literal["static-cache", "second-turn", "no-cache", "chunked-prefill", "inputs-embeds", "assisted"]
"""`padcheck.core.run_plans` says what each of them is."""

Asked = Literal[ModeName, "all"]
"""What --with accepts."""
