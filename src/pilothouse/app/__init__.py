"""Assembly: settings, wiring, migrations, the process itself, and the demo organisation."""
