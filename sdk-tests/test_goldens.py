"""What translation made of the fixtures (`providers/fixtures/golden`), as the newest clients and their types take it."""
