"""Step 7, Drive change and adoption: eligible people, weekly active share, assisted tasks."""
