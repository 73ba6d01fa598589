"""The judged query set and the catalogue that it is judged on."""
