//! 500+ language models and 60+ providers as reviewed data: prices, limits, lookup, validation.
