"""A worker's process that reads one draft: started to be killed. `python -m services.opendata.tests.reading_child <tenant> <draft>`"""

import sys

from services.opendata.__main__ import deployable
from services.opendata.use_cases import drafts

if __name__ == "__main__":
    drafts.read_now(deployable.build(), sys.argv[1], sys.argv[2])
