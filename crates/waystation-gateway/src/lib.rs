//! Runs a routing plan: attempts, deadlines, fallbacks, settling.
