"""Ways in: each door turns its dialect into a Call and a contract, and back."""
