"""Drivers of the portfolio: business cases written as files for finance."""
