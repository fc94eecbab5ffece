"""The workshop of images: `generate_images` is its door."""
