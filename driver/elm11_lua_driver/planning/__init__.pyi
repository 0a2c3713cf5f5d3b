from . import cost
from .cost import Instructions, estimate
from .deadlines import RunBudget
from .memory import MemoryPlan
from .plan import JobPlan, plan_job, seconds_here

__all__ = [
    "Instructions",
    "JobPlan",
    "MemoryPlan",
    "RunBudget",
    "cost",
    "estimate",
    "plan_job",
    "seconds_here",
]
