"""The rules of open data: what a table says, what is wrong in it, how it is mended, how well it follows the standards."""
