"""
What should change, decided and written down: plans, the rails that hold them, and their
undoing. Knows no dialect and never sends, reads or writes anything.
"""
