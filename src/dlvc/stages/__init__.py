"""One short file a DVC stage: parse, load, call, save."""
