from .execution import Execution
from .recovery import Recovery
from .session import ReplSession
from .state import ExecutionResult, ReplSettings
from .tokenizer import Line, Prompt, PromptKind, ReplReader

__all__ = [
    "Execution",
    "ExecutionResult",
    "Line",
    "Prompt",
    "PromptKind",
    "Recovery",
    "ReplReader",
    "ReplSession",
    "ReplSettings",
]
