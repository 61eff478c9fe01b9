"""Step 4, Develop skills and partnerships: courses, credentials, squads, RACI."""
