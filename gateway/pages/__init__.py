"""The gateway's own pages and its API for services: FastAPI, plain `def`, one file per room."""
