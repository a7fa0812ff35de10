"""What is wrong with how a broker is used and set up, as far as the broker can prove it: `warren doctor`."""
