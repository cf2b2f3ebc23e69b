"""What the program is checked against, an environment a folder; what all share stands beside this."""
