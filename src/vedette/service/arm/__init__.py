"""Azure Resource Manager: Sentinel's provider, and what lies around it."""
