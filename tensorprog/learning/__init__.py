"""Does it learn linearly? Predictions from the table of exponents, and their test by training at finite width."""
