"""What a world holds: tables, records, and who lives in it."""
