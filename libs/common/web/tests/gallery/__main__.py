"""The gallery at 127.0.0.1:8099, for looking at by hand."""

import uvicorn

from libs.common.web.tests.gallery.app import gallery

if __name__ == "__main__":
    uvicorn.run(gallery(), host="127.0.0.1", port=8099, log_level="warning")
