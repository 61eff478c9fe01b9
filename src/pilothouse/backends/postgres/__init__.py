"""The outgrown default: several stateless replicas on one Postgres."""
