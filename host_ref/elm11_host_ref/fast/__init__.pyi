from .plan import FastPlan, plan_of
from .run import simulate, simulate_groups

__all__ = ["FastPlan", "plan_of", "simulate", "simulate_groups"]
