"""What every floor speaks: identity, time, errors, the ledger; no business noun lives here."""
