"""The workshop of tables: `generate_tables` is its door."""
