from .machine import Execution
from .recovery import Recovery, find_prompt
from .session import ExecutionResult, ReplSession, ReplSettings
from .tokenizer import Line, Prompt, PromptKind, ReplTokenizer

__all__ = [
    "Execution",
    "ExecutionResult",
    "Line",
    "Prompt",
    "PromptKind",
    "Recovery",
    "ReplSession",
    "ReplSettings",
    "ReplTokenizer",
    "find_prompt",
]
