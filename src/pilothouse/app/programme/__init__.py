"""Programme as code: YAML files that declare what should be there, compared with what is, and applied."""
