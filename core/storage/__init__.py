"""Where messages and definitions live: engines behind one contract, and bringing a broker back from them."""
