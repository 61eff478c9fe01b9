"""Pure text: sentences, numerals, recognisers, spans, similarity."""
