from .cost import Instructions, estimate
from .deadlines import RunBudget
from .memory import MemoryPlan
from .plan import JobPlan, plan_job

__all__ = [
    "Instructions",
    "JobPlan",
    "MemoryPlan",
    "RunBudget",
    "estimate",
    "plan_job",
]
