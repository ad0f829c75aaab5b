//! A pure routing engine for language models: filters, orders, fallbacks, explained.
