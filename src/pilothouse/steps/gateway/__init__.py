"""Step 3, Choose the right technology: everything between a question and a model."""
