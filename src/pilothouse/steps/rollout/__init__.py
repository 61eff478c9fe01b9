"""Step 8, Scale and improve: releases, phases, health and halts."""
