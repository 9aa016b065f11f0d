"""The ledger: what the lectures print and claim, beside what the pipeline's own files say."""
