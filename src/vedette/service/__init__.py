"""
The local service: a Sentinel workspace, its Defender twin and the sign-in they need, on a
SQLite file. A call goes in, a reply comes out, and what changed is in the caller's
transaction. It never sends a call of its own, and never remembers what SQLite does not.
"""
