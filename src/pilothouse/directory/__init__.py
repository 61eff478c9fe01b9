"""Who is there: tenants, people, units, groups, roles and grants, accounts, sessions, API keys."""
