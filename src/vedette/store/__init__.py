"""
What is kept on this machine: the journal of runs, and run files made from it.
Never speaks to a service, and never asks for the time: it is told.
"""
