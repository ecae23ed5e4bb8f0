"""The log table of incidents, asked in KQL through the API of Azure Monitor's logs."""
