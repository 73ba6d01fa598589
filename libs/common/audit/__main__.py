"""`python -m libs.common.audit verify record.jsonl`."""

import sys

from libs.common.audit.chain import main

sys.exit(main(sys.argv[1:]))
