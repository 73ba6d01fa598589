"""電子入札: tenders of municipalities, sealed bids, openings, results."""
