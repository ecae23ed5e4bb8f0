"""Entra: who may sign in, how, and what a token says."""
