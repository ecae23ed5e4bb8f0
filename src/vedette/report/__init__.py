"""
Values as text, JSON, CSV and NDJSON. Takes incident text for hostile, and never prints,
reads or writes anything.
"""
