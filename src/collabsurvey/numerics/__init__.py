"""Array mathematics: arrays in, numbers out, no checks of users' input."""
