//! Token counts for prompts: byte bounds and calibrated estimates.
