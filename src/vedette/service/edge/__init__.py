"""What lies around the port: trust, the folder, the variables that clients read."""
