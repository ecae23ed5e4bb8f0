"""
What travels, in both directions: calls, replies and the documents inside them, one dialect
a file. The only room that knows Microsoft's spellings. It never sends anything.
"""
