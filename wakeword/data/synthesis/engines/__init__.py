"""One module for each text-to-speech engine, with `make(argument) -> Engine`; `load_engine` imports them."""
