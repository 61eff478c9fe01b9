"""Step 5, Keep humans in the loop: guardrails, masking, review, corrections."""
