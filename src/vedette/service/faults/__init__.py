"""
Faults on purpose: refusals, failures, lost replies, hostile links, second writers. They are
kept in the world with their counters, and what they do depends on nothing but these.
"""

from vedette.service.faults.trouble import Trouble

__all__ = ["Trouble"]
