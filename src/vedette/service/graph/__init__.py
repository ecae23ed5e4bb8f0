"""Microsoft Graph security, the directory, and Defender's older API."""
