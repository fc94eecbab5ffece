"""The workshop of series: `generate_series` is its door."""
